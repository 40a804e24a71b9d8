"""XMP: what of a photo's packet stays true of a result, and localsr's own part of it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from localsr.images.provenance import NAMESPACE, SYNTHETIC, Provenance

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XML = "http://www.w3.org/XML/1998/namespace"
EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
FRAME = "".join(
    (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n',
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF{}>\n',
        '  <rdf:Description rdf:about=""{}>{}</rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="r"?>',
    )
)
MAX_BYTES = 2**18  # of a packet that is looked into; 200,000 elements would take seconds
MAX_DEPTH = 50  # of its elements; structures in lists in structures need 12
MAX_DESCRIPTIONS = 100
PREFIXES = {  # of what people and cameras say of a picture; others say where its parts lie, or what is in other files
    "http://purl.org/dc/elements/1.1/": "dc",
    XMP: "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    EXT: "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
}
FALSE_NOW = {  # properties in these that were true of the photo's own pixels or file
    "dc": ("format",),
    "xmp": ("Thumbnails", "CreatorTool"),
    "photoshop": ("ColorMode", "ICCProfile", "History", "DocumentAncestors", "TextLayers", "LegacyIPTCDigest"),
    "Iptc4xmpExt": ("ImageRegion", "DigitalSourceType"),
    "exif": (
        "PixelXDimension",
        "PixelYDimension",
        "CompressedBitsPerPixel",
        "ComponentsConfiguration",
        "FocalPlaneXResolution",
        "FocalPlaneYResolution",
        "FocalPlaneResolutionUnit",
        "ImageUniqueID",
        "MakerNote",
        "RelatedSoundFile",
        "SubjectArea",
        "SubjectLocation",
    ),
}
ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)
TRUE_STILL = {"tiff": ("Make", "Model", "Artist", "Copyright", "ImageDescription", "DateTime")}  # and no other of tiff


def parsed(packet: bytes) -> list[ElementTree.Element]:
    """Return the descriptions of a packet; none for one that is damaged, too large, or has a document type."""
    text = packet[:MAX_BYTES].rstrip(b"\0") if len(packet) <= MAX_BYTES else b""
    try:
        if "<!DOCTYPE" in text.decode():  # by which entities come; XMP has none
            return []
        root = ElementTree.fromstring(text.removeprefix(b"\xef\xbb\xbf"))
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return []
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
    if level:  # which would not be written again: that recurses
        return []
    return list(root.iter(f"{{{RDF}}}Description"))[:MAX_DESCRIPTIONS]


def properties(packet: bytes, namespace: str) -> dict[str, str]:
    """Return the simple properties of a namespace in a packet."""
    found = {}
    for description in parsed(packet):
        values = [*description.attrib.items(), *((child.tag, child.text or "") for child in description)]
        for name, value in values:
            if name.startswith(f"{{{namespace}}}"):
                found[name.rpartition("}")[2]] = value.strip()
    return found


def made_by(packet: bytes) -> Provenance | None:
    """Return the provenance that a packet holds."""
    source_type = properties(packet, EXT).get("DigitalSourceType", "")
    return Provenance.of_properties(properties(packet, NAMESPACE), source_type)


def packet_for(found: bytes, made: Provenance | None) -> bytes:
    """Return the packet of a result: what is still true of its photo's packet `found`, and how it was made."""
    names = {RDF: "rdf"}
    attributes, children = "", ""
    source_type = properties(found, EXT).get("DigitalSourceType", "") if found else ""
    for description in _top(parsed(found)) if found else ():
        for name, value in description.attrib.items():
            if _stays(name):
                attributes += f" {_prefixed(name, names)}={_quoted(value)}"
        for child in description:
            if _stays(child.tag):
                _rename(child, names)
                child.tail = ""
                children += ElementTree.tostring(child, "unicode")
    if made is not None:
        names |= {NAMESPACE: "localsr", XMP: "xmp"}
        attributes += f" xmp:CreatorTool={_quoted(made.software)}"
        attributes += "".join(f" localsr:{name}={_quoted(value)}" for name, value in made.properties().items())
        if source_type not in SYNTHETIC:
            source_type = made.source_type
    if source_type:
        names[EXT] = "Iptc4xmpExt"
        attributes += f" Iptc4xmpExt:DigitalSourceType={_quoted(source_type)}"
    if not attributes and not children:
        return b""
    declared = "".join(f" xmlns:{prefix}={_quoted(uri)}" for uri, prefix in names.items())
    return FRAME.format(declared, attributes, children).encode()


def _top(descriptions: list[ElementTree.Element]) -> Iterator[ElementTree.Element]:
    """Yield the descriptions that stand in no other one."""
    inner = {id(one) for each in descriptions for one in each.iter(f"{{{RDF}}}Description") if one is not each}
    seen: set[str] = set()
    for description in descriptions:
        if id(description) in inner:
            continue
        for name in [name for name in description.attrib if name in seen]:
            del description.attrib[name]  # told twice, which is not well-formed in one element
        for child in [child for child in description if child.tag in seen]:
            description.remove(child)
        seen |= {*description.attrib, *(child.tag for child in description)}
        yield description


def _stays(name: str) -> bool:
    """Tell whether a property, as `{namespace}name`, is still true of a result."""
    namespace, _, local = name.removeprefix("{").partition("}")
    prefix = PREFIXES.get(namespace, "")
    return bool(prefix) and local not in FALSE_NOW.get(prefix, ()) and local in TRUE_STILL.get(prefix, (local,))


def _prefixed(name: str, names: dict[str, str]) -> str:
    """Return `prefix:name` for `{namespace}name`; `names` has the prefixes by their namespaces."""
    namespace, _, local = name.removeprefix("{").partition("}")
    if namespace == XML:
        return f"xml:{local}"
    if namespace not in names:
        names[namespace] = PREFIXES.get(namespace) or f"ns{len(names)}"
    return f"{names[namespace]}:{local}"


def _rename(element: ElementTree.Element, names: dict[str, str]) -> None:
    """Give an element and all within it names with prefixes."""
    for each in element.iter():
        if isinstance(each.tag, str) and each.tag.startswith("{"):
            each.tag = _prefixed(each.tag, names)
        each.attrib = {(_prefixed(n, names) if n.startswith("{") else n): value for n, value in each.attrib.items()}


def _quoted(text: str) -> str:
    """Return an attribute's value in quotes; xml.sax.saxutils, which does the same, takes 45 ms to import."""
    return f'"{text.translate(ESCAPES)}"'
