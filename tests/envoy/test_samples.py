"""Every sample, every stage, through a real Envoy, with both meanings of repeated headers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.local.server import Gateway
from pinroute.local.trial import gateway_for, observe
from pinroute.probes.everybody import SAMPLE, WHOLE
from pinroute.spec.meaning import stage_names

SAMPLES = Path(__file__).parents[2] / "samples"


def _source(file: Path) -> Source:
    return Source(file.name, file.read_bytes(), lambda name: (file.parent / name).read_bytes())


def _every_stage() -> dict[str, Compiled]:
    """Return each stage of each experiment of each sample, by a name of its own."""
    found: dict[str, Compiled] = {}
    for file in sorted(SAMPLES.glob("*.yaml")):
        source = _source(file)
        stages = {
            stage
            for compiled in compile_specs([source]).experiments
            for stage in stage_names(compiled.checked.spec.experiment).values()
        }
        for stage in sorted(stages):
            for compiled in compile_specs([source], stage=stage).experiments:
                name = compiled.checked.spec.experiment.name
                found[f"{file.stem}/{name}/{stage}"] = compiled
    return found


EVERY_STAGE = _every_stage()


@pytest.fixture(scope="module", params=[False, True], ids=["each-value", "joined"])
def trial(request: pytest.FixtureRequest) -> Iterator[tuple[Gateway, bool]]:
    joined: bool = request.param
    with gateway_for(EVERY_STAGE, joined=joined) as gateway:
        yield gateway, joined


@pytest.mark.parametrize("name", EVERY_STAGE)
def test_every_user_meets_what_the_spec_promises(trial: tuple[Gateway, bool], name: str) -> None:
    gateway, joined = trial
    compiled = EVERY_STAGE[name]
    observations = observe(compiled, gateway.port(name), (), joined=joined)
    wrong = [item for item in observations if not item.right]
    assert not wrong, wrong[:5]
    hashes = {item.probe.values for item in observations if " hash in " in item.probe.who}
    size = compiled.stages[0].routes.universe.size
    assert len(hashes) == size if size <= WHOLE else len(hashes) >= SAMPLE


def test_there_is_a_sample_for_everything_the_compiler_builds() -> None:
    stems = {file.stem for file in SAMPLES.glob("*.yaml")}
    assert {
        "tutorial",
        "session-affinity",
        "three-versions",
        "hex",
        "plain-services",
        "subsets",
        "jwt-claim",
        "kserve-standard",
        "paths",
        "several-experiments",
        "splice",
        "buckets",
    } <= stems


def test_a_wrong_rule_is_seen() -> None:
    """The trial can fail: one prefix changed in the manifest shows as mismatches."""
    compiled = EVERY_STAGE["tutorial/session-affinity-exp/experiment"]
    rendered = compiled.rendered[0]
    service = rendered.virtual_service
    rule = {**service["spec"]["http"][0], "match": [{"headers": {"userhash": {"prefix": "100"}}}]}
    http = [rule, *service["spec"]["http"][1:]]
    bad = rendered._replace(objects=({**service, "spec": {**service["spec"], "http": http}},))
    with gateway_for({"bad": compiled._replace(rendered=(bad,))}) as gateway:
        observations = observe(compiled, gateway.port("bad"), ("1010101010",))
    wrong = [item for item in observations if not item.right]
    assert len(wrong) >= 256
    assert wrong[0].probe.who == "user 1010101010"
