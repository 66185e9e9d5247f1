"""Names of classes, for whoever reads a prediction."""

from pathlib import Path

from bench.base.files import read_small
from bench.data.dataset import Dataset
from bench.errors import UsageError

KNOWN = {  # in the order of the data set's labels
    "digits": "0 1 2 3 4 5 6 7 8 9",
    "cifar10": "airplane automobile bird cat deer dog frog horse ship truck",
    "fashion_mnist": "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot",
}
KNOWN["cifar10-partial"] = KNOWN["cifar10"]


def read_names(path: Path, classes: int) -> list[str]:
    """
    Read a file of class names, one a line, in the order of the labels.

    Raises:
        UsageError: it cannot be read, or does not name each class once.
    """
    try:
        lines = read_small(path).decode().splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        message = f"--classes `{path}` cannot be read: {reason}"
        raise UsageError(message) from None
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name or not name.isprintable():
            message = f"--classes `{path}`, line {number}: a name is printable text, one a line"
            raise UsageError(message)
        if name in seen:
            message = f"--classes `{path}`: `{name}` stands in lines {seen[name]} and {number}"
            raise UsageError(message)
        seen[name] = number
    if len(names) != classes:
        message = f"--classes `{path}` has {len(names)} names; the network has {classes} classes"
        raise UsageError(message)
    return names


def find_names(name: str, dataset: Dataset, classes: int) -> tuple[list[str], str]:
    """
    The names of a data set's classes, and where they are from.

    Args:
        name: as suites have it.
        dataset: loaded; of a folder of class folders these are the names.
    """
    if dataset.class_names:
        return [*dataset.class_names], "the data set's"
    words = KNOWN.get(name, "").split()
    if len(words) == classes:
        return [word.replace("_", " ") for word in words], "the data set's"
    paths: tuple[str, ...] = getattr(getattr(dataset, "train", None), "paths", ())
    if paths:
        folders = sorted({path.split("/")[1 if path.startswith("train/") else 0] for path in paths})
        if len(folders) == classes:
            return folders, "names of the folders"
    return [str(number) for number in range(classes)], "numbers; --classes FILE names them"
