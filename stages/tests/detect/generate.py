"""What pycocotools 2.0.11 says of predictions: python generate.py PREDICTIONS [IMAGES], where PREDICTIONS is a folder that eval/detect has
written, such as predictions/test, and IMAGES is how many of its images are taken, the first ones (all where it is left out). Writes
truth.json, found.json and stats.json beside this file."""
import json
import sys
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

predictions, here = Path(sys.argv[1]), Path(__file__).parent
truth, found = (json.loads((predictions / file).read_text()) for file in ("truth.json", "found.json"))
truth["images"] = truth["images"][: int(sys.argv[2]) if len(sys.argv) > 2 else None]
kept = {image["id"] for image in truth["images"]}
truth["annotations"] = [annotation for annotation in truth["annotations"] if annotation["image_id"] in kept]
found = [result for result in found if result["image_id"] in kept]
for file, content in (("truth.json", truth), ("found.json", found)):
    (here / file).write_text(json.dumps(content, separators=(",", ":")) + "\n")
reference = COCO(str(here / "truth.json"))
evaluation = COCOeval(reference, reference.loadRes(str(here / "found.json")), "bbox")
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
(here / "stats.json").write_text(json.dumps(list(evaluation.stats)) + "\n")
