"""What torch's compiler is told by names of its own is heard by the torch that is installed."""

import inspect
from typing import Any

import pytest
import torch
from packaging.version import Version

from bench.nn import compiler
from bench.nn.compiler_hooks import HOOKS, Hook, is_missing
from bench.nn.graph_passes import FORWARD, OWN_PLACE

NAMES = (  # that compilation takes for granted
    "torch._functorch.partitioners",
    "torch._inductor.custom_graph_pass:CustomGraphPass",
    "torch._inductor.custom_graph_pass:get_hash_for_files",
    "torch._inductor.decomposition:select_decomp_table",
    "torch._inductor.config:joint_custom_post_pass",
    "torch.fx.experimental.proxy_tensor:make_fx",
    "torch.utils.checkpoint:CheckpointPolicy.MUST_SAVE",
    compiler.AUTOGRAD,
    compiler.KEPT,
)


SINCE = {"cpp.use_two_step_variance_threshold": "2.12"}  # of torch, where the oldest has it not


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_each_hook_has_its_function(hook: Hook) -> None:
    """A hook whose function torch renamed would be skipped, and steps would be slower unseen."""
    gone = hook.missing()

    assert not gone, f"torch {torch.__version__} has no `{gone}`; without it not: {hook.purpose}"


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there(name: str) -> None:
    """What is imported while a step is compiled exists."""
    assert not is_missing(name), f"torch {torch.__version__} has no `{name}`"


@pytest.mark.parametrize("name", compiler.OPTIONS)
def test_each_option_is_known(name: str) -> None:
    """An option that torch does not know is not passed, and steps would be slower unseen."""
    known: list[str] = torch._inductor.list_options()  # pyright: ignore
    expected = name not in missing_here()

    assert (name in known) == expected, f"torch {torch.__version__} and its option `{name}`"


def missing_here() -> set[str]:
    """The options that came after the torch that is installed."""
    here = Version(torch.__version__)
    return {name for name, since in SINCE.items() if here < Version(since)}


def test_an_option_that_torch_has_not_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out of what the compiler is told, the others stay, and its purpose is off."""
    lost = "cpp.enable_floating_point_contract_flag"
    known: list[str] = torch._inductor.list_options()  # pyright: ignore
    monkeypatch.setattr(torch._inductor, "list_options", lambda: [x for x in known if x != lost])  # pyright: ignore
    told: dict[str, Any] = {}
    monkeypatch.setattr(torch, "compile", lambda call, *, dynamic, options: told.update(options))
    compiler.compile_step(torch.sin, torch.device("cpu"))

    assert set(told) == set(compiler.OPTIONS) - {lost} - missing_here()
    assert lost in {speedup.missing for speedup in compiler.speedups() if not speedup.on}


def test_each_option_has_its_purpose() -> None:
    """What `bench doctor` tells of is what is passed."""
    passed = {
        name
        for device in ("cpu", "cuda")
        for alone in (True, False)
        for name in compiler._options(torch.device(device), alone)  # pyright: ignore[reportPrivateUsage]
    }

    assert passed == set(compiler.OPTIONS)


def test_marks_of_nodes_are_read() -> None:
    """Graphs are marked by words, which the compiler reads under no name that could be imported."""
    from torch._functorch import partitioners
    from torch._inductor import graph
    from torch._inductor.codegen.common import CSE

    for word in ("partitioner_tag", "must_be_in_backward", *FORWARD):
        assert word in inspect.getsource(partitioners), f"nodes are no longer marked `{word}`"
    assert OWN_PLACE in inspect.getsource(graph), f"nodes are no longer marked `{OWN_PLACE}`"
    cse: Any = CSE()
    assert hasattr(cse, "_cache"), "how a number was made is no longer in CSE._cache"


def test_a_hook_that_is_gone_is_left_out() -> None:
    """Its first missing name is told."""
    owner = "torch._inductor.graph:GraphLowering"
    gone = Hook(owner, "find_unicorns", "for a test", print)
    other = Hook(owner, "run", "for a test", print, ("torch._inductor.nothing:there",))

    assert gone.missing() == "torch._inductor.graph:GraphLowering.find_unicorns"
    assert other.missing() == "torch._inductor.nothing:there"


def test_speedups_tell_which_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this torch all that is compiled; the rest says what the processor lacks."""
    monkeypatch.setattr(compiler.integer_conv, "MULTIPLIES_BYTES", False)
    found = {speedup.purpose: speedup for speedup in compiler.speedups()}
    off = {speedup.missing for speedup in found.values() if speedup.missing}

    assert off == missing_here()
    assert len(found) == len(compiler.OPTIONS) + len(HOOKS) + 4
    assert not found["convolutions of signs in int8"].on
    assert "no int8 products" in found["convolutions of signs in int8"].unfit
