"""The stand-in for RQ: ReSTE's function with an exponent that training finds."""

import torch

from bench.nn.clock import Clock
from bench.plugin import Surrogate
from bench.registry import ESTIMATORS


def test_function_is_restes() -> None:
    """At the same exponent, value and slope are the same numbers."""
    rq, reste = ESTIMATORS.build("rq", {}), ESTIMATORS.build("reste", {})
    assert isinstance(rq, Surrogate)
    assert isinstance(reste, Surrogate)
    z, o = torch.linspace(-2, 2, 401), torch.tensor(2.5)

    assert torch.equal(rq.value(z, o), reste.value(z, o))
    assert torch.equal(rq.slope(z, o), reste.slope(z, o))


def test_exponent_is_learned_within_its_limits() -> None:
    """It gets df/do, and can come back from where it was held."""
    module = ESTIMATORS.build("rq", {}).binarizer("A", (3,), Clock(), 0).double()
    (o,) = module.parameters()
    z = torch.tensor([-1.2, 0.5, 0.9], dtype=torch.float64)
    module(z).sum().backward()
    r = z.abs()
    wanted = (-z.sign() * r.sqrt() * r.log() / 4).sum()  # d r^(1/o)/do at o = 2

    assert o.grad is not None
    torch.testing.assert_close(o.grad, wanted)
    with torch.no_grad():
        o.fill_(20.0)
    assert module.get_parameter("learned").item() == 20
    o.grad = None
    module(z).sum().backward()
    assert o.grad is not None
    assert o.grad != 0


def test_learn_off() -> None:
    """Then it has no parameter."""
    module = ESTIMATORS.build("rq", {"learn": "off"}).binarizer("W", (4, 3, 3, 3), Clock(), 0)

    assert list(module.parameters()) == []
