"""ReActNet against numbers of its released code and of BiBench's."""

import torch
import torch.nn.functional as F

from bench.nn.clock import Clock
from bench.nn.coach import Seen, Teaching
from bench.plugin import approx_sign
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from tests.oracle import Ran, cases, close, given, gradient, make_layer, put, run_layer

REACTNET = ESTIMATORS.build("reactnet", {})


def shifted_layer(then: torch.nn.Module | None = None) -> Ran:
    layer = make_layer(REACTNET, given("weight"))
    put(layer.A.c, given("shift"))
    return run_layer(layer, given("input"), given("upstream"), then or torch.nn.Identity())


class RPReLU(torch.nn.Module):
    """
    Shift, PReLU, shift: what stands after the convolution in the released network.

    The second channel's shift is 0 but for rounding, and one of its sums is 0: a tie of PReLU,
    which the source's rounding opened, as 1e-14 does here.
    """

    def __init__(self) -> None:
        super().__init__()
        s = given("slopes")
        self.one = torch.nn.Parameter(0.2 * s - 0.07 + 1e-14)
        self.slopes = torch.nn.Parameter(s)
        self.two = torch.nn.Parameter(0.3 - s)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return F.prelu(y + self.one.view(-1, 1, 1), self.slopes) + self.two.view(-1, 1, 1)


def test_layer_of_the_released_code() -> None:
    """Output and every gradient of sign with shift, convolution and RPReLU."""
    case, then = cases("reactnet")[0], RPReLU()
    ran = shifted_layer(then)
    ran.results["grad_conv_weight"] = ran.results["grad_weight"]
    ran.results["grad_move0_bias"] = gradient(ran.layer.A.c)
    ran.results |= {
        "grad_move1_bias": gradient(then.one),
        "grad_prelu_weight": gradient(then.slopes),
        "grad_move2_bias": gradient(then.two),
    }

    ran.check(case, *case.results)


def test_sign_of_inputs() -> None:
    """Value and slope of ApproxSign at the oracle's z."""
    case = cases("reactnet")[1]
    z = case.tensor("z").requires_grad_()
    y = approx_sign(z)
    y.sum().backward()

    close(y, case, "value")
    close(gradient(z), case, "slope")


def test_loss() -> None:
    """The teacher's soft labels, and no others."""
    case = cases("reactnet")[2]
    logits = given("logits").requires_grad_()
    coach = REACTNET.coach(torch.nn.Identity(), Clock(), Recipe(epochs=1))
    labels = torch.zeros(4, dtype=torch.long)
    loss = coach.loss(logits, labels, Seen(teacher=Teaching(given("teacher_logits"))))
    loss.backward()

    close(loss, case, "loss")
    close(gradient(logits), case, "grad_logits")


def test_layer_of_bibench() -> None:
    """A second implementation's numbers of the same layer, without RPReLU."""
    (case,) = cases("reactnet_bibench")
    ran = shifted_layer()
    ran.results["grad_channel_threshold"] = gradient(ran.layer.A.c)

    ran.check(case, *case.results)


def test_stages() -> None:
    """Real weights that decay, then binary ones that do not; shifts never decay."""
    first, second = REACTNET.stages()
    real = REACTNET.model_copy(update=first.fields)
    layer = make_layer(real, given("weight"))
    (group,) = REACTNET.coach(layer, Clock(), Recipe(epochs=1)).groups()

    assert (real.bits("W"), REACTNET.bits("W")) == (32, 1)
    assert torch.equal(layer.W(layer.weight), layer.weight)
    assert (first.weight_decay, second.weight_decay, group.weight_decay) == (1e-5, 0, 0)
    assert list(group.parameters) == [layer.A.c]


def test_factor() -> None:
    """With `scale_grad: factor` the gradient is E times the default's."""
    plugin = ESTIMATORS.build("reactnet", {"scale_grad": "factor"})
    one = run_layer(make_layer(REACTNET, given("weight")), given("input"), given("upstream"))
    two = run_layer(make_layer(plugin, given("weight")), given("input"), given("upstream"))
    scale = given("weight").abs().mean((1, 2, 3), keepdim=True)

    torch.testing.assert_close(
        two.results["grad_weight"], one.results["grad_weight"] * scale, rtol=1e-12, atol=0
    )
