"""Mutations: of plain data at every path, of text, of bytes, and hostile values to put there."""

import copy
import json
import math
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

Path_ = tuple[Any, ...]
STRANGE = [
    *("", " ", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\nb", "a\tb", "\x00", "\x7f", "\x9b31m"),
    *("[red]x[/red]", "[/]", "[link=http://x]y", "|", "`", "\\", "<b>&amp;</b>", "$x^2$", "%s{0}"),
    *("../../evil", "/evil", "..", ".", "a/b", "C:\\x", "~", "-", "--help", "=1+1", "'", '"', "*"),
    *("\u202eabc", "\ufeffx", "é" * 300, "x" * 100_000, "ste", "none", "default", "1/1", "32/32"),
    *("0..2", "0..999999", "digits", "reste", "resnet20", "linear", "NaN", "Infinity", "😀", "s*"),
    *("\ud800", "\u2028", "!!python/object", "&a", "*a", "<<", "1e999", "0x", "null", "true"),
]
NUMBERS = [
    *(0, 1, -1, 2, 7, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 10**400),
    *(0.0, -0.0, 0.5, -1.5, 1e-320, 1e308, math.nan, math.inf, -math.inf, True, False, None),
]
LINES = [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b"\xff\x00" * 50_000, b"1e999", b"null"]
KEYS: list[Any] = [
    *("plugin", "matrix", "W", "A", "schedule", "clip", "o_end", "train", "data", "extends", "wa"),
    *("preset", "include", "exclude", "published", "acc", "tune", "plugins", "seeds", "reason"),
    *("estimator", "backbone", "held_out", "resize", "curves", "cells", "params", "name", "zzz"),
    *(1, None, True, 1.5, "<<", *STRANGE[:12]),
]


def value(rng: Random, depth: int = 0) -> Any:
    """Anything that plain data can hold, and should not."""
    kind = rng.randrange(12 if depth < 3 else 8)
    if kind < 4:
        return rng.choice(STRANGE)
    if kind < 8:
        return rng.choice(NUMBERS)
    if kind == 8:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 9:
        return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    if kind == 10:
        return nested(rng.choice([3, 40, 200]), rng.random() < 0.5)
    return [value(rng, 3)] * rng.choice([10, 1000])


def nested(depth: int, mapping: bool) -> Any:
    inner: Any = "x"
    for _ in range(depth):
        inner = {"a": inner} if mapping else [inner]
    return inner


def paths(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of everything below `node`."""
    pairs: Any = node.items() if isinstance(node, dict) else enumerate(node)
    for key, inner in pairs:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


def alike(rng: Random, was: Any) -> Any:
    """Another value of the same kind, which a reader's types may let through."""
    if isinstance(was, bool) or was is None:
        return rng.choice([True, False, None])
    if isinstance(was, int | float):
        return rng.choice([0, 1, -1, was + 1, -was, was * 10, was // 2, *NUMBERS[:11], 0.5, 1e308])
    if isinstance(was, str):
        cut = rng.randrange(len(was) + 1)
        return rng.choice([*STRANGE[:30], was[:cut], was + rng.choice(STRANGE[:10]), was.upper()])
    if isinstance(was, list):
        return rng.choice([[], was[:-1], was + was[:1], was[::-1], was[:1] * 50])
    if isinstance(was, dict):
        return {k: was[k] for k in was if rng.random() < 0.7}
    return value(rng)


def structure(rng: Random, data: Any) -> Any:
    """A copy of `data` with one to three changes at any of its places."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = list(paths(data)) if isinstance(data, dict | list) else []
        if not places:
            return value(rng)
        *above, key = rng.choice(places)
        parent = at(data, above)
        _change(rng, data, parent, key, places)
    return data


def at(data: Any, path: list[Any] | Path_) -> Any:
    for key in path:
        data = data[key]
    return data


def _change(rng: Random, data: Any, parent: Any, key: Any, places: list[Path_]) -> None:
    """One change at `parent[key]`."""
    match rng.randrange(12):
        case 0:
            del parent[key]
        case 1 | 2:
            parent[key] = value(rng)
        case 3 | 8 | 9 | 10 | 11:
            parent[key] = alike(rng, parent[key])
        case 4:  # what stands somewhere else
            parent[key] = copy.deepcopy(at(data, rng.choice(places)))
        case 5:
            parent[key] = [parent[key]] if rng.random() < 0.5 else {rng.choice(KEYS): parent[key]}
        case 6 if isinstance(parent, dict):  # the same under another name
            parent[rng.choice(KEYS)] = parent.pop(key)
        case _ if isinstance(parent, list):
            parent.insert(key, value(rng))
        case _:
            parent[rng.choice(KEYS)] = value(rng)


PIECES = [
    *(
        "!!python/object/apply:os.system [touch evil]",
        "!!python/name:os.system",
        "!!set {a}",
        "!x ",
    ),
    *("&a ", "*a", "<<: *a\n", "<<: ", "? ", ": ", "- ", "{", "}", "[", "]", "'", '"', "|\n", ">"),
    *(
        "---\n",
        "...\n",
        "%YAML 9.9\n",
        "\t",
        "\x00",
        "\x1b",
        "\ufeff",
        "\r",
        "# ",
        "\\",
        "\n",
        "  ",
    ),
    *('"\\e[31m"', '"\\u001b"', '"\\ud800"', "9" * 5000, "[" * 2000, "{a: " * 2000, "é", "@", "`"),
    "a: &b [x, x]\nc: &d [*b, *b]\ne: &f [*d, *d, *d]\n",
]
BOMB = "\n".join(
    ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))]
)


def text(rng: Random, whole: str) -> bytes:
    """Text with pieces cut out, put in, or moved, and perhaps in another encoding."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(whole) + 1)
        end = min(len(whole), start + rng.choice([0, 0, 1, 5, 80]))
        piece = rng.choice([rng.choice(PIECES), whole[start : start + rng.randrange(200)]])
        whole = whole[:start] + piece + whole[end:]
    match rng.randrange(12):
        case 0:
            whole = whole[: rng.randrange(len(whole) + 1)]
        case 1:
            whole = f"{BOMB}\n{whole}"
        case 2:
            codec = rng.choice(["utf-16", "utf-32", "latin-1", "cp037", "utf-8-sig"])
            return whole.encode(codec, errors="replace")
        case 3:
            return raw(rng, whole.encode(errors="surrogatepass"))
        case _:
            pass
    return whole.encode(errors="surrogatepass")


def raw(rng: Random, content: bytes) -> bytes:
    """Bytes flipped, cut, repeated or replaced by telling ones."""
    found = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        if not found:
            return bytes(found)
        place = rng.randrange(len(found))
        match rng.randrange(6):
            case 0:
                found[place] ^= 1 << rng.randrange(8)
            case 1:
                found[place] = rng.choice([0, 0xFF, 0x7F, 0x80, 0x1B, 0x0A])
            case 2:
                size = rng.choice([1, 2, 4, 8])
                found[place : place + size] = rng.choice([b"\xff", b"\x00", b"\x7f"]) * size
            case 3:
                del found[place : place + rng.choice([1, 4, 100])]
            case 4 if rng.random() < 0.3:
                del found[place:]
            case _:
                found[place:place] = found[place : place + rng.choice([1, 8, 64])]
    return bytes(found)


def tensors(rng: Random, content: bytes) -> bytes:
    """A safetensors file whose header, which says where what lies, is changed."""
    size = struct.unpack("<Q", content[:8])[0]
    head = json.dumps(structure(rng, json.loads(content[8 : 8 + size]))).encode()
    return struct.pack("<Q", len(head)) + head + content[8 + size :]
