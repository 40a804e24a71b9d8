"""Columns and keys as other tools call them: the same box, whoever wrote it, and no box dropped without a word."""

from __future__ import annotations

import json

import pytest

from localsr import Box, Size
from localsr.errors import DataError, LocalSRError
from localsr.regions import read

SIZE = Size(640, 480)
BOX = Box(64, 96, 320, 432)
TABLES = {
    "left, top, width, height": "picture,left,top,width,height\na.jpg,64,96,256,336\n",
    "underscores": "image,x_min,y_min,x_max,y_max\na.jpg,64,96,320,432\n",
    "from 0": "image,x0,y0,x1,y1\na.jpg,64,96,320,432\n",
    "the least and the most": "file,min_x,min_y,max_x,max_y\na.jpg,64,96,320,432\n",
    "CVAT's corners": "img,xtl,ytl,xbr,ybr\na.jpg,64,96,320,432\n",
    "bbox before each": "image_path,width,height,bbox_x,bbox_y,bbox_width,bbox_height\na.jpg,640,480,64,96,256,336\n",
    "bb before each": "filename,bb_left,bb_top,bb_width,bb_height\na.jpg,64,96,256,336\n",
    "corners beside the picture's size": "file,left,top,right,bottom,width,height\na.jpg,64,96,320,432,640,480\n",
    "sides beside the picture's size": "file,width,height,x,y,w,h\na.jpg,640,480,64,96,256,336\n",
    "a centre": "picture,x_center,y_center,width,height\na.jpg,192,264,256,336\n",
    "a centre, in short": "picture,cx,cy,w,h\na.jpg,192,264,256,336\n",
    "shares, as Open Images": "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax\na.jpg,sign,1,0.1,0.5,0.2,0.9\n",
    "a list and the picture's size": 'image_id,width,height,bbox\na.jpg,640,480,"[64.0, 96.0, 256.0, 336.0]"\n',
    "a decimal comma": "picture;xmin;ymin;xmax;ymax\na.jpg;64,0;96,00;320,0;432,0\n",
    "the first and the last": "picture,x_start,y_start,x_end,y_end\na.jpg,64,96,320,432\n",
    "two corners": "picture,top_left_x,top_left_y,bottom_right_x,bottom_right_y\na.jpg,64,96,320,432\n",
    "initials": "url,l,t,r,b\na.jpg,64,96,320,432\n",
    "a corner and a size": "picture,xmin,ymin,width,height\na.jpg,64,96,256,336\n",
    "shares without saying so": "picture,x1,y1,x2,y2\na.jpg,0.1,0.2,0.5,0.9\n",
    "as NumPy prints it": "picture,bbox\na.jpg,[ 64.  96. 256. 336.]\n",
    "as Python prints it": "picture,bbox\na.jpg,\"('64', '96', '256', '336')\"\n",
    "blanks between": "picture,bbox\na.jpg,64 96 256 336\n",
    "bars between": "picture|x|y|width|height\na.jpg|64|96|256|336\n",
    "a comma at the end": "picture,x,y,width,height\na.jpg,64,96,256,336,\n",
    "VIA 1": '#filename,region_shape_attributes\na.jpg,"{""name"":""rect"",""x"":64,""y"":96,""width"":256,'
    '""height"":336}"\n',
    "VIA's rectangle": 'filename,region_shape_attributes\na.jpg,"{""name"":""rect"",""x"":64,""y"":96,""width"":256,'
    '""height"":336}"\n',
    "VIA's polygon": 'filename,region_shape_attributes\na.jpg,"{""name"":""polygon"",""all_points_x"":[64,320,64],'
    '""all_points_y"":[96,432,100]}"\n',
}
OBJECTS = {
    "another name of the picture": {"image_path": "a.jpg", "bbox": [64, 96, 256, 336]},
    "sides as keys": {"image": "a.jpg", "left": 64, "top": 96, "width": 256, "height": 336},
    "corners in an object": {"image": "a.jpg", "box": {"x1": 64, "y1": 96, "x2": 320, "y2": 432}},
    "numbers as text": {"image": "a.jpg", "bbox": ["64", "96", "256", "336"]},
    "shares": {"image": "a.jpg", "BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.4, "Height": 0.7}},
    "objects": {"image": "a.jpg", "objects": [{"bbox": [64, 96, 256, 336]}]},
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES)
def test_a_table_says_its_box_in_its_own_words(tmp_path, content) -> None:
    """Of the family of columns as others write them: data sets, annotation tools, trackers and spreadsheets."""
    (tmp_path / "m.csv").write_text(content)
    (region,) = read(tmp_path / "m.csv").of("a.jpg")
    assert region.on(SIZE).box == BOX


@pytest.mark.parametrize("said", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("form", ["lines.jsonl", "array.json"])
def test_an_object_says_its_box_in_its_own_words(tmp_path, said, form) -> None:
    """Of the same family, in JSON; an array's entries are read as lines, and no region is of any picture by mistake."""
    (tmp_path / form).write_text(json.dumps([said]) if form.endswith(".json") else json.dumps(said))
    annotations = read(tmp_path / form)
    (region,) = annotations.of("a.jpg")
    assert region.on(SIZE).box == BOX
    assert annotations.of("b.jpg") == ()


def test_results_of_a_detector_have_labels_and_scores(tmp_path) -> None:
    box = {"x1": 64.0, "y1": 96.0, "x2": 320.0, "y2": 432.0}
    (tmp_path / "a.json").write_text(json.dumps([{"name": "cat", "class": 15, "confidence": 0.9, "box": box}]))
    (region,) = read(tmp_path / "a.json").of("a.jpg", paired=True)
    assert (region.on(SIZE).box, region.label, region.score) == (BOX, "cat", 0.9)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("m.csv", "picture,x_min,y_min,x_max\na.jpg,1,2,3\n", "has the columns x_max, x_min, y_min; a box has"),
        ("m.csv", "picture,bbox_x,bbox_y\na.jpg,1,2\n", "has the columns bbox_x, bbox_y; a box has"),
        ("m.csv", "picture,col,row,width,height\na.jpg,64,96,256,336\n", "has the columns col, height, row, width"),
        ("m.csv", "picture,bbox_1,bbox_2,bbox_3,bbox_4\na.jpg,1,2,3,4\n", "has the columns bbox_1, .*; a box has"),
        (
            "m.csv",
            'image,label\na.jpg,"[{""x"": 1, ""rotation"": 0}]"\n',
            "line 2: label may hold regions in words that",
        ),
        (
            "m.csv",
            "ImageId,PredictionString\na.jpg,0 0.9 8 8 24 24 1 .8 1 1 2 2\n",
            "predictionstring may hold regions",
        ),
        ("m.csv", "image_id,PredictionString\na.jpg,0.9 8 8 16 16\n", "predictionstring may hold regions"),
        ("m.csv", "ImageId,PredictionString\na.jpg,/m/0ch 0.9 0.1 0.1 0.5 0.5\n", "predictionstring may hold regions"),
        ("m.csv", "ImageId,EncodedPixels\na.jpg,1 3 100 5 200 7\n", "encodedpixels may hold regions"),
        ("m.jsonl", '{"image": "a.jpg", "boundingPoly": {"vertices": []}}', "one of box and bbox"),
        ("m.csv", "/data/a.jpg,1,2,3,4,cat\n", "its first line has /data/a.jpg, 1, 2, 3, 4, cat"),
        ("m.json", '[{"image": "a.jpg", "annotations": [{"coordinates": {"x": 1, "y": 2}}]}]', "one of box and bbox"),
        ("m.json", '[{"label": "cat"}]', "one of box and bbox"),
    ],
)
def test_what_looks_like_a_box_and_is_none_is_refused(tmp_path, name, content, told) -> None:
    """Never read as a picture without regions, which nobody would hear of."""
    (tmp_path / name).write_text(content)
    with pytest.raises(LocalSRError, match=told) as refused:
        read(tmp_path / name)
    assert isinstance(refused.value, DataError) == name.endswith(".csv")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ('"{""name"":""circle"",""cx"":1,""cy"":2,""r"":3}"', "no sides of a region"),
        ('"{""all_points_x"":[1,2],""all_points_y"":[1]}"', "has 2 x and 1 y"),
        ('"' + "[" * 400 + "1" + "]" * 400 + '"', "region|nested|JSON"),
    ],
)
def test_a_structure_that_is_no_region_costs_itself(tmp_path, cell, told) -> None:
    (tmp_path / "m.csv").write_text(f"filename,region_shape_attributes\na.jpg,{cell}\n")
    (region,) = read(tmp_path / "m.csv").of("a.jpg")
    with pytest.raises(LocalSRError, match=told):
        region.on(SIZE)
