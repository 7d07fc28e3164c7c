"""The product of attention probabilities with values is found, read and replaced, however the model writes it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.nn.functional import dropout, softmax

from attattr_core.engine.interception import Attended, Interception

B, H, T, D = 2, 3, 4, 5
PRODUCTS = {
    "matmul": lambda attention, value: torch.matmul(attention, value),
    "operator": lambda attention, value: attention @ value,
    "after dropout": lambda attention, value: torch.matmul(dropout(attention, 0.5, training=False), value),
    "after a cast": lambda attention, value: torch.matmul(attention.double().float(), value),
    "bmm": lambda attention, value: torch.bmm(attention.view(B * H, T, T), value.reshape(B * H, T, D)),
    "einsum": lambda attention, value: torch.einsum("bnij,jbnd->ibnd", attention, value.permute(2, 0, 1, 3)),
    "one value head": lambda attention, value: attention @ value[:, :1],
}
TO_CONTEXT = {
    "bmm": lambda result: result.view(B, H, T, D).transpose(1, 2),
    "einsum": lambda result: result.permute(1, 0, 2, 3),
}

every_product = pytest.mark.parametrize("product", PRODUCTS)


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, H, T, T, generator=generator), torch.randn(B, H, T, D, generator=generator)


def run(product: str, logits: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    result = PRODUCTS[product](softmax(logits @ torch.eye(T), -1), value)
    return TO_CONTEXT.get(product, lambda own: own.transpose(1, 2))(result)  # (B, T, H, d)


@every_product
def test_what_is_multiplied_is_read_and_the_product_left_alone(product):
    logits, value = draw()
    seen: list[Attended] = []
    with Interception(keep=seen.append):
        context = run(product, logits, value)
    (attended,) = seen
    assert torch.equal(context, run(product, logits, value))
    assert attended.allowed is None
    torch.testing.assert_close(attended.attention, logits.softmax(-1))
    torch.testing.assert_close((attended.attention @ attended.value).transpose(1, 2), context)


@every_product
def test_a_context_takes_the_place_of_the_product_and_gets_the_gradient(product):
    logits, value = draw()
    context = torch.randn(B, T, H, D, requires_grad=True)
    weight = torch.randn(B, T, H, D)
    with Interception(mix=lambda attention, value: context):
        result = run(product, logits, value)
    assert torch.equal(result, context)
    (gradient,) = torch.autograd.grad((result * weight).sum(), context)
    assert torch.equal(gradient, weight)


def test_masked_entries_are_told_from_those_that_vanish_in_rounding():
    logits = torch.zeros(1, 1, 2, 2)
    logits[0, 0, :, 1] = torch.tensor([-200.0, torch.finfo(torch.float32).min])
    seen: list[Attended] = []
    with Interception(keep=seen.append):
        softmax(logits, -1) @ torch.ones(1, 1, 2, 3)
    assert seen[0].attention[0, 0].tolist() == [[1, 0], [1, 0]]
    assert seen[0].allowed[0, 0].tolist() == [[True, True], [True, False]]


def test_products_of_other_things_are_not_seen():
    logits, value = draw()
    seen: list[Attended] = []
    with Interception(keep=seen.append):
        attention = softmax(logits, -1)
        (attention + 0) @ value
        softmax(value, -1) @ value.transpose(-2, -1)
        value @ attention.mean()[None, None].expand(D, D)
    assert not seen


def test_another_thread_is_left_alone():
    logits, value = draw()
    seen: list[Attended] = []
    with Interception(keep=seen.append), ThreadPoolExecutor(1) as pool:
        pool.submit(run, "matmul", logits, value).result()
    assert not seen
