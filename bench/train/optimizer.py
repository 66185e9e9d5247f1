"""
The optimizer of a recipe, and of the groups that a coach asks for.

Parameters of one rule are one optimizer of torch, fused; parameters that train by several rules
have an optimizer for each group, and `Mixed` steps them all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]

from bench.errors import UsageError
from bench.nn.coach import Coach, Group, Rule
from bench.nn.contract import SurrogateBinarizer
from bench.nn.layers import BinaryLayer
from bench.spec.cell import ParameterKind, Recipe

Named: TypeAlias = Literal["sgd", "adam", "adamw"]
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True)
class _Part:
    """Parameters that one optimizer of torch takes as one of its groups."""

    parameters: list[nn.Parameter]
    rule: Named | Rule
    factor: float
    weight_decay: float


class Mixed:
    """
    Several optimizers as one, to the trainer and to snapshots.

    Attributes:
        parts: the optimizers, each of one group.
        param_groups: of all of them, in their order. A state's key is the parameter's place in it.
    """

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """As torch's: `state` by parameter, `param_groups` with the parameters' places."""
        state: dict[int, dict[str, Any]] = {}
        groups: list[dict[str, Any]] = []
        for first, part in self._placed():
            one = part.state_dict()
            state |= {first + i: values for i, values in one["state"].items()}
            groups += [
                g | {"params": [first + i for i in g["params"]]} for g in one["param_groups"]
            ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take the state that `state_dict` returned; groups as they are now stay."""
        for first, part in self._placed():
            places = range(first, first + len(optimized(part)))
            own = {i - first: values for i, values in saved["state"].items() if i in places}
            groups = part.state_dict()["param_groups"]
            part.load_state_dict({"state": own, "param_groups": groups})

    def _placed(self) -> Iterator[tuple[int, torch.optim.Optimizer]]:
        """Each optimizer and the place of its first parameter."""
        first = 0
        for part in self.parts:
            yield first, part
            first += len(optimized(part))


Optimizer: TypeAlias = torch.optim.Optimizer | Mixed


class _ByRule(torch.optim.Optimizer):
    """
    A coach's own rule, for each of its parameters that has a gradient.

    The rule keeps what it likes in the parameter's state: tensors like the parameter, or 0-d ones
    under the name `step`, are as safe in checkpoints as torch's; numbers are, too.
    """

    def __init__(self, parameters: list[nn.Parameter], rule: Rule, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    self.rule(parameter, parameter.grad, state, group["lr"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state with its own dtypes, which torch would make the parameter's."""
        self.state.clear()
        for i, parameter in enumerate(optimized(self)):
            values = state_dict["state"].get(i, {})
            moved = {
                k: v.to(parameter.device, copy=True) if isinstance(v, Tensor) else v
                for k, v in values.items()
            }
            if moved:
                self.state[parameter] = moved


def optimized(optimizer: Optimizer) -> list[nn.Parameter]:
    """Return what an optimizer trains, in the order by which its state is numbered."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def make_optimizer(net: nn.Module, recipe: Recipe, coach: Coach | None = None) -> Optimizer:
    """
    Return the optimizer of all parameters of a network and, after them, of its coach.

    Each of its `param_groups` has a "factor", by which its "lr" is the recipe's of the epoch.

    Raises:
        UsageError: the coach's groups have a parameter twice, or one that is nobody's.
    """
    parts = _split(net, recipe, coach)
    rules = {part.rule for part in parts}
    if len(rules) == 1 and isinstance(parts[0].rule, str):
        return _make(parts, recipe)
    return Mixed([_make([part], recipe) for part in parts])


def _make(parts: list[_Part], recipe: Recipe) -> torch.optim.Optimizer:
    """One optimizer of torch, for parts of one rule."""
    rule = parts[0].rule
    if not isinstance(rule, str):
        made = _ByRule(parts[0].parameters, rule, recipe.lr * parts[0].factor)
        made.param_groups[0]["factor"] = parts[0].factor
        return made
    groups: list[dict[str, Any]] = [
        {
            "params": part.parameters,
            "lr": recipe.lr * part.factor,
            "weight_decay": part.weight_decay,
            "factor": part.factor,
        }
        for part in parts
    ]
    if rule == "adamw":
        return torch.optim.AdamW(groups, recipe.lr, fused=True)
    if rule == "adam":
        return torch.optim.Adam(groups, recipe.lr, fused=True)
    nesterov = recipe.nesterov == "on"
    return torch.optim.SGD(groups, recipe.lr, recipe.momentum, nesterov=nesterov, fused=True)


def _split(net: nn.Module, recipe: Recipe, coach: Coach | None) -> list[_Part]:
    """All parameters, the coach's groups last, each group by whether its kinds decay."""
    kinds = _kinds(net) | (_kinds(coach) if coach else {})
    asked = [*coach.groups()] if coach else []
    _check(asked, kinds)
    asked += _knobs(net, {parameter for group in asked for parameter in group.parameters})
    taken = {parameter for group in asked for parameter in group.parameters}
    rest = Group([parameter for parameter in kinds if parameter not in taken])
    parts = [part for group in (rest, *asked) for part in _parts(group, recipe, kinds)]
    return [part for part in parts if part.parameters]


def _knobs(net: nn.Module, taken: set[nn.Parameter]) -> list[Group]:
    """Learned knobs that no group of the coach has and that have a weight decay of their own."""
    decays: dict[float, list[nn.Parameter]] = {}
    for module in net.modules():
        own = module.learned if isinstance(module, SurrogateBinarizer) else None
        decay = getattr(module, "knob_decay", None)
        if own is not None and own not in taken and decay is not None:
            decays.setdefault(decay, []).append(own)
    return [Group(parameters, weight_decay=decay) for decay, parameters in decays.items()]


def _parts(
    group: Group, recipe: Recipe, kinds: dict[nn.Parameter, ParameterKind]
) -> Iterator[_Part]:
    """A group, or the two halves of it that decay and do not."""
    rule = group.rule or recipe.optimizer
    whole = _Part([*group.parameters], rule, group.factor, recipe.weight_decay)
    if group.weight_decay is not None or not isinstance(rule, str):
        yield replace(whole, weight_decay=group.weight_decay or 0.0)
        return
    still = {p for p in group.parameters if kinds[p] in recipe.no_decay}
    yield replace(whole, parameters=[p for p in group.parameters if p not in still])
    yield replace(whole, parameters=[p for p in group.parameters if p in still], weight_decay=0.0)


def _check(groups: list[Group], kinds: dict[nn.Parameter, ParameterKind]) -> None:
    """Refuse a parameter in two groups, and one of neither network nor coach."""
    seen: set[nn.Parameter] = set()
    for number, group in enumerate(groups, 1):
        for parameter in group.parameters:
            what = f"group {number} of the coach has a parameter of shape {tuple(parameter.shape)}"
            if parameter in seen:
                message = f"{what} that is there twice; give it to one group"
                raise UsageError(message)
            if parameter not in kinds:
                message = f"{what} that is neither the network's nor the coach's; register it there"
                raise UsageError(message)
            seen.add(parameter)


def _kinds(root: nn.Module) -> dict[nn.Parameter, ParameterKind]:
    """The kind of each parameter, in the order of `root.parameters()`."""
    modules: list[nn.Module] = [*root.modules()]
    found: dict[nn.Parameter, ParameterKind] = {}
    for module in modules:
        for name, parameter in module.named_parameters(recurse=False):
            found.setdefault(parameter, _kind(module, name))
    return {parameter: found[parameter] for parameter in root.parameters()}


def _kind(module: nn.Module, name: str) -> ParameterKind:
    """The kind of a module's own parameter of that name."""
    if isinstance(module, NORMS):
        return "norm"
    if isinstance(module, WEIGHTED):
        if name == "weight":
            return "latent" if isinstance(module, BinaryLayer) else "weight"
        if name == "bias":
            return "bias"
    return "other"
