"""XNOR-Net++: Γ in its three forms, against a toolkit's layer and the author's library."""

import pytest
import torch

from bench.plugin import Clock, Stage
from bench.registry import ESTIMATORS
from tests.oracle import Case, cases, close, given, make_layer, run_layer

LIBRARY = cases("xnor_library")[:2]  # those with a learned scale; the others are of `xnor_net`


def test_rank1() -> None:
    """o_c h_i w_j, of which images take as much as they have rows and columns."""
    (case,) = cases("xnor_net_pp")
    plugin = ESTIMATORS.build("xnor_net_pp", {"gamma": "rank1", "clip": "closed", "side": 9})
    layer = make_layer(plugin, given("weight"))
    names = ("out", "row", "column")
    found = {name: layer.W.get_parameter(f"after.factors.{name}") for name in names}
    with torch.no_grad():
        found["out"].copy_(given("scale").view(-1, 1, 1))
        found["row"][:6] = 1 + 0.1 * torch.arange(6.0, dtype=torch.float64).view(-1, 1)
        found["column"][:6] = 1.2 - 0.1 * torch.arange(6.0, dtype=torch.float64)
    run_layer(layer, given("input"), given("upstream")).check(case)

    grads = [p.grad for p in found.values() if p.grad is not None]
    close(grads[0], case, "grad_o_scale")
    close(grads[1][:6], case, "grad_h_scale")
    close(grads[2][:6], case, "grad_w_scale")
    assert not grads[1][6:].any()


@pytest.mark.parametrize("case", LIBRARY, ids=str)
def test_channel(case: Case) -> None:
    """o_c after the product of signs, centred or not."""
    centring = "on" if case.options["center_weights"] else "off"
    layer = make_layer(ESTIMATORS.build("xnor_net_pp", {"centring": centring}), given("weight"))
    with torch.no_grad():
        layer.W.after.alpha.copy_(given("scale"))  # pyright: ignore
    run_layer(layer, given("input"), given("upstream")).check(case)

    close(layer.W.after.alpha.grad, case, "grad_Y_alpha")  # pyright: ignore


def test_full() -> None:
    """Γ_cij = o_c h_i w_j is rank1, to the gradient of inputs and weights."""
    o, h, w = (torch.rand(n, dtype=torch.float64) + 0.5 for n in (4, 6, 6))
    ran = []
    for gamma in ("rank1", "full"):
        layer = make_layer(
            ESTIMATORS.build("xnor_net_pp", {"gamma": gamma, "side": 6}), given("weight")
        )
        factors = dict(layer.W.named_parameters())
        with torch.no_grad():
            if gamma == "full":
                factors["after.factors.gamma"].copy_(o[:, None, None] * h[:, None] * w)
            else:
                factors["after.factors.out"].copy_(o[:, None, None])
                factors["after.factors.row"].copy_(h[:, None])
                factors["after.factors.column"].copy_(w)
        ran.append(run_layer(layer, given("input"), given("upstream")).results)

    torch.testing.assert_close(ran[0], ran[1])


def test_an_image_larger_than_side_is_refused() -> None:
    """In one line that says both."""
    layer = make_layer(
        ESTIMATORS.build("xnor_net_pp", {"gamma": "rank1", "side": 5}), given("weight")
    )

    with pytest.raises(ValueError, match="image of 6 x 6 is larger than side: 5"):
        layer(given("input"))


def test_linear_maps_have_a_scale_by_output() -> None:
    """Whatever gamma is."""
    for gamma in ("channel", "rank1", "full"):
        module = ESTIMATORS.build("xnor_net_pp", {"gamma": gamma}).binarizer(
            "W", (5, 8), Clock(), 0
        )

        assert module.after.alpha.shape == (5,)  # pyright: ignore


def test_steps() -> None:
    """steps: 2 trains binary inputs first, with real weights, which promise nothing."""
    plugin = ESTIMATORS.build("xnor_net_pp", {"steps": 2})
    real = ESTIMATORS.build("xnor_net_pp", {"real_weights": "on"})
    layer = make_layer(real, given("weight"))

    assert plugin.stages() == (Stage({"real_weights": "on"}), Stage({"real_weights": "off"}))
    assert ESTIMATORS.build("xnor_net_pp", {}).stages() == (Stage(),)
    assert layer.W(layer.weight) is layer.weight
    assert (real.bits("W"), real.bits("A"), plugin.bits("W")) == (32, 1, 1)
    assert not layer.whole
