"""What a matrix and a cross make labels of, and back."""

from bench.spec.label import base_label, label_values, without_value


def test_a_label_is_taken_apart() -> None:
    """Its name, its values, lists among them, and what is left without one of them."""
    label = "resnet20(width=8,lr_steps=[1, 2],gradients=bfloat16)"

    assert base_label(label) == "resnet20"
    assert label_values(label) == {"width": "8", "lr_steps": "[1, 2]", "gradients": "bfloat16"}
    assert without_value(label, "lr_steps") == "resnet20(width=8,gradients=bfloat16)"
    assert without_value("resnet20(width=8)", "width") == "resnet20"
    assert label_values("resnet20") == {}
