"""How Sphinx builds the documentation: `make docs`, strictly, without a request to any other machine."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

from localsr import __version__  # noqa: E402  # after the path that it is found by

project = "localsr"
author = "the authors of localsr"
copyright = "2026, the authors of localsr"  # Sphinx's word
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "flow"]
exclude_patterns = ["_ext", "README.md"]
default_role = "code"  # what docstrings write between single backticks
html_theme = "furo"
html_title = "localsr"
html_static_path = ["_static"]
html_css_files = ["localsr.css"]
html_theme_options = {"sidebar_hide_name": False}
html_copy_source = html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = False  # types of torch, NumPy and the standard library have no page here

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
