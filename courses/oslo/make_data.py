"""Make the course's data folder out of your photos: `python make_data.py DATASET OUT`, offline with `encoder=lite`."""

import argparse
from pathlib import Path

from showtell.cli.words import err, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="photos with captions, in any form that Showtell reads")
    parser.add_argument("out", type=Path, help="the folder that data_dir will name")
    parser.add_argument("--photos", type=int, help="only so many photos of train, and a tenth of it of val")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="changes of the recipe oslo-1: encoder=lite")
    asked = parser.parse_intermixed_args()

    import showtell
    from showtell.cache.photo_pickles import write_photo_pickles
    from showtell.recipe.build import build, build_encoder

    recipe = showtell.load_recipe("oslo-1", [f"data.root={Path(asked.dataset).resolve()}", *asked.changes])
    records = list(build(recipe, "data"))
    if asked.photos:
        most = {"train": asked.photos, "val": max(1, asked.photos // 10)}
        records = [each for split in most for each in [one for one in records if one.split == split][: most[split]]]
    count = write_photo_pickles(asked.out, records, build_encoder(recipe), console=err)
    print(f"written: {asked.out}/ ({count:,} photos); set data_dir = '{asked.out}/'")


if __name__ == "__main__":
    run(main)
