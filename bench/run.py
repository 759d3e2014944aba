"""Benchmarks: what pinroute costs, next to istioctl.

    make bench                      # or: python bench/run.py [start] [many] [tables] [lookup] [services] [impacts]

istioctl is the one that ISTIOCTL names, that of the PATH, or else that of the tests' cache,
which is built if need be. Machines are shared and noisy, so everything is a median, and
commands that are compared run in turns in the same minute. Nothing here is a test: no figure
fails a build.
"""

import argparse
import gc
import itertools
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = ROOT / "samples" / "tutorial.yaml"
PINROUTE = [str(Path(sys.executable).with_name("pinroute"))]


@cache
def istioctl() -> str:
    """Return the istioctl that pinroute is compared with."""
    found = os.environ.get("ISTIOCTL") or shutil.which("istioctl")
    if found is not None:
        return found
    build = [sys.executable, str(ROOT / "tools" / "build.py"), "istioctl"]
    run = subprocess.run(build, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout.strip()


def wall_ms(command: Sequence[str]) -> float:
    """Return the wall time of a whole process in milliseconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def cpu_s(command: Sequence[str], stdout: int = subprocess.DEVNULL) -> float:
    """Return the CPU time of a whole process in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=stdout, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start(folder: Path, rounds: int) -> None:
    """Cold start: compile the tutorial, and what it is compared with, in turns."""
    manifest = folder / "virtualservice.yaml"
    compiled = subprocess.run(
        [*PINROUTE, "compile", str(TUTORIAL)], check=True, capture_output=True
    )
    manifest.write_bytes(compiled.stdout)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click, yaml'": [sys.executable, "-c", "import click, yaml"],
        "pinroute compile tutorial.yaml": [*PINROUTE, "compile", str(TUTORIAL)],
    }
    commands["istioctl validate (of the result)"] = [istioctl(), "validate", "-f", str(manifest)]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        wall_ms(command)
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(wall_ms(command))
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        print(f"  {name:<40} {median:7.1f} ms")
    peer = medians["istioctl validate (of the result)"]
    print(f"  ratio: {medians['pinroute compile tutorial.yaml'] / peer:.2f} (bar 1.4, aim 1.0)")


def many(folder: Path, rounds: int) -> None:
    """Many specs in one call: CPU for each, which has to stay the same."""
    text = TUTORIAL.read_text("utf-8")
    base = statistics.median(cpu_s([*PINROUTE, "version"]) for _ in range(rounds))
    for number in (250, 500, 1000):
        target = folder / f"specs-{number}"
        target.mkdir()
        for index in range(number):
            own = text.replace("session-affinity-exp", f"exp-{index}")
            own = own.replace("routing-rule", f"rule-{index}")
            own = own.replace("example.com", f"h{index}.example.com")
            (target / f"{index}.yaml").write_text(own, "utf-8")
        spent = statistics.median(
            cpu_s([*PINROUTE, "compile", str(target)]) for _ in range(max(3, rounds // 5))
        )
        print(f"  {number:5} specs: {(spent - base) * 1000 / number:5.2f} ms of CPU each (bar 3)")


def tables(_folder: Path, rounds: int) -> None:
    """Tables of 100,000 prefixes: build, minimise and size."""
    from pinroute.table.measure import sizes
    from pinroute.table.minimise import minimise
    from pinroute.table.table import Leaf, table_of_prefixes
    from pinroute.table.universe import Universe

    generator = random.Random(1)  # noqa: S311  repeatable, not secret
    prefixes: dict[str, int] = {}
    while len(prefixes) < 100_000:
        prefixes[format(generator.getrandbits(20), "020b")] = generator.randrange(3)
    leaves = [Leaf(name, name) for name in "abc"]
    universe = Universe("01", 24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rules = 0
    found: list[tuple[float, ...]] = []
    for _ in range(max(3, rounds // 5)):
        marks = [time.process_time()]
        table = table_of_prefixes(universe, leaves, 0, 0, prefixes)
        marks.append(time.process_time())
        rules = len(minimise(table))
        marks.append(time.process_time())
        sizes(table)
        marks.append(time.process_time())
        found.append((*(b - a for a, b in itertools.pairwise(marks)), marks[-1] - marks[0]))
        del table
    build, small, size, total = (statistics.median(row[i] for row in found) for i in range(4))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"  build {build:.2f} s, minimise {small:.2f} s ({rules:,} rules), size {size:.2f} s")
    print(f"  together {total:.2f} s (bar 1), {grown:.0f} MB more (bar 150)")


def lookup(folder: Path, rounds: int) -> None:
    """Look 1,000,000 values of a file up; the start of the process is taken off."""
    generator = random.Random(2)  # noqa: S311  repeatable, not secret
    values = folder / "hashes.txt"
    values.write_text(
        "".join(f"{generator.getrandbits(10):010b}\n" for _ in range(1_000_000)), "utf-8"
    )
    none = folder / "none.txt"
    none.write_text("1010101010\n", "utf-8")
    spec = ["-f", str(TUTORIAL)]
    tries = max(3, rounds // 5)
    base = statistics.median(
        wall_ms([*PINROUTE, "lookup", "--hashes", str(none), *spec]) for _ in range(tries)
    )
    spent = statistics.median(
        wall_ms([*PINROUTE, "lookup", "--hashes", str(values), *spec]) for _ in range(tries)
    )
    print(f"  1,000,000 values: {(spent - base) / 1000:.2f} s after start (bar 2)")


def _service(number: int, rules: int, generator: random.Random) -> str:
    """Return a VirtualService of many rules, as people write them."""
    head = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: v{number}, namespace: default}}\n"
        f"spec:\n  hosts: [h{number}.example.com]\n  gateways: [istio-system/public]\n  http:\n"
    )
    body = "".join(
        f"  - name: r{index}\n    match:\n    - headers:\n        userhash:\n"
        f'          prefix: "{generator.getrandbits(14):014b}"\n    route:\n    - destination:\n'
        f"        host: svc{index % 7}.ns.svc.cluster.local\n        port:\n          number: 80\n"
        f"      headers:\n        response:\n          set:\n            version: v{index % 3}\n"
        for index in range(rules)
    )
    return f"{head}{body}  - route:\n    - destination:\n        host: base.ns.svc.cluster.local\n"


def services(folder: Path, rounds: int) -> None:
    """VirtualServices through validate, next to istioctl: 1,000 files, and one of 5,000 rules."""
    generator = random.Random(3)  # noqa: S311  repeatable, not secret
    small = folder / "small"
    small.mkdir()
    files = [small / f"{number}.yaml" for number in range(1000)]
    for number, file in enumerate(files):
        file.write_text(_service(number, 6, generator), "utf-8")
    large = {rules: folder / f"{rules}.yaml" for rules in (2500, 5000)}
    for rules, file in large.items():
        file.write_text(_service(0, rules, generator), "utf-8")
    cases = {"1,000 files": (files, str(small), 0.8)}
    cases |= {f"{rules:,} rules": ([file], str(file), 1.0) for rules, file in large.items()}
    for name, (paths, argument, bar) in cases.items():
        ours, theirs = [], []
        peer = [word for path in paths for word in ("-f", str(path))]
        for _ in range(max(3, rounds // 4)):
            ours.append(wall_ms([*PINROUTE, "validate", argument]))
            theirs.append(wall_ms([istioctl(), "validate", *peer]))
        mine, istio = statistics.median(ours), statistics.median(theirs)
        print(
            f"  {name:<12} {mine:7.0f} ms, istioctl {istio:7.0f} ms, "
            f"ratio {mine / istio:.2f} (bar {bar})"
        )


def impacts(folder: Path, rounds: int) -> None:
    """Impact of two tables of 100,000 prefixes each, and of two VirtualServices of 5,000 rules."""
    from pinroute.table.impact import impact
    from pinroute.table.table import Leaf, Table, table_of_prefixes
    from pinroute.table.universe import Universe

    generator = random.Random(4)  # noqa: S311  repeatable, not secret

    def table() -> Table:
        prefixes: dict[str, int] = {}
        while len(prefixes) < 100_000:
            prefixes[f"{generator.getrandbits(20):020b}"] = generator.randrange(3)
        return table_of_prefixes(
            Universe("01", 24), [Leaf(name, name) for name in "abc"], 0, 0, prefixes
        )

    old, new = table(), table()
    spent = []
    for _ in range(max(3, rounds // 4)):
        begin = time.process_time()
        impact(old, new)
        spent.append(time.process_time() - begin)
    print(f"  tables: {statistics.median(spent):.2f} s (bar 2)")
    for name, write in (("hashes", _service), ("paths", _paths)):
        sides = [folder / f"{name}-{side}.yaml" for side in ("old", "new")]
        for side in sides:
            side.write_text(write(0, 5000, generator), "utf-8")
        command = [*PINROUTE, "impact", *map(str, sides)]
        whole = statistics.median(cpu_s(command) for _ in range(max(3, rounds // 8)))
        print(f"  VirtualServices that differ in {name}: {whole:.2f} s with reading (bar 5)")


def _paths(number: int, rules: int, generator: random.Random) -> str:
    """Return a VirtualService of many paths, two methods each."""
    head = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: v{number}, namespace: default}}\n"
        f"spec:\n  hosts: [h{number}.example.com]\n  gateways: [istio-system/public]\n  http:\n"
    )
    body = "".join(
        f"  - match:\n    - uri: {{prefix: /team{index // 2}/}}\n"
        f"      method: {{exact: {('GET', 'POST')[index % 2]}}}\n"
        f'      headers: {{userhash: {{prefix: "{generator.getrandbits(6):06b}"}}}}\n'
        f"    route: [{{destination: {{host: svc{index % 7}.ns.svc.cluster.local}}}}]\n"
        for index in range(rules)
    )
    return f"{head}{body}  - route: [{{destination: {{host: base.ns.svc.cluster.local}}}}]\n"


BENCHES: dict[str, Callable[[Path, int], None]] = {
    "start": start,
    "many": many,
    "tables": tables,
    "lookup": lookup,
    "services": services,
    "impacts": impacts,
}


def main() -> None:
    """Run the benchmarks that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], default=[])
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    gc.disable()
    # Users have compiled bytecode: pip writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in options.names or BENCHES:
        print(f"{name}: {BENCHES[name].__doc__}")
        with tempfile.TemporaryDirectory() as folder:
            BENCHES[name](Path(folder), options.rounds)


if __name__ == "__main__":
    main()
