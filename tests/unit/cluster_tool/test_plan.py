import pytest

from cluster.plan import EXPECTED, Facts, Step, steps


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # a new machine: everything
        (
            Facts(packages=("docker.io",), programs=("kubelet",)),
            [Step.INSTALL, Step.ENGINE, Step.PULL, Step.GO, Step.ROOTS, Step.ASSEMBLE, Step.LOAD, Step.CREATE],
        ),
        # all images are there: only the cluster is missing
        (Facts(engine=True, own_image=True), [Step.CREATE]),
        (Facts(engine=True, kind_image=True), [Step.CREATE]),
        # a broken cluster goes first
        (Facts(engine=True, own_image=True, old_cluster=True), [Step.DELETE, Step.CREATE]),
        # the engine's storage is gone, the cache is not: no pull, no build, one import
        (Facts(engine=True, node_tar=True), [Step.LOAD, Step.CREATE]),
        (Facts(node_tar=True), [Step.ENGINE, Step.LOAD, Step.CREATE]),
        # the programs are cached, the node image is not
        (Facts(engine=True), [Step.PULL, Step.ROOTS, Step.ASSEMBLE, Step.LOAD, Step.CREATE]),
        (Facts(engine=True, roots=True), [Step.PULL, Step.ASSEMBLE, Step.LOAD, Step.CREATE]),
        # the image was pulled, kubectl has to be built
        (Facts(engine=True, kind_image=True, programs=("kubectl",)), [Step.GO, Step.CREATE]),
    ],
)
def test_only_the_steps_that_are_needed_are_planned(facts: Facts, expected: list[Step]) -> None:
    assert list(steps(facts)) == expected


def test_every_slow_step_says_how_long_it_takes() -> None:
    assert {Step.INSTALL, Step.GO, Step.ROOTS, Step.ASSEMBLE, Step.LOAD, Step.CREATE} <= set(EXPECTED)
