"""The threads of a process in a container follow its CPU quota, in both versions of cgroups."""

import pytest
import torch

from avatar_model import cpu_quota


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Makes files below a stand-in for /sys/fs/cgroup, and says what groups the process is in."""
    root = tmp_path / "cgroup"
    monkeypatch.setattr(cpu_quota, "CGROUPS", root)
    monkeypatch.setattr(cpu_quota, "OWN_CGROUPS", tmp_path / "own")

    def make(own, **files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        # In a container, the group may be the root of what is mounted, whatever it is called.
        ("0::/docker/1f\n", {"cpu.max": "200000 100000"}, 2.0),
        (
            "5:cpu,cpuacct:/docker/1f\n4:cpuset:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            3.0,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "5", "cpu/cpu.cfs_period_us": "0"}, None),
        ("", {}, None),
    ],
)
def test_the_smallest_quota_of_all_groups_counts(groups, own, files, quota):
    groups(own, **files)
    assert cpu_quota.cpu_quota() == quota


def test_a_system_without_control_groups_has_no_quota(groups):
    assert cpu_quota.cpu_quota() is None


def test_torch_gets_as_many_threads_unless_the_environment_says_how_many(groups, monkeypatch):
    groups("0::/\n", **{"cpu.max": "150000 100000"})
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        monkeypatch.setenv("OMP_NUM_THREADS", "4")
        cpu_quota.follow_cpu_quota()
        assert torch.get_num_threads() == 4
        monkeypatch.delenv("OMP_NUM_THREADS")
        cpu_quota.follow_cpu_quota()
        assert torch.get_num_threads() == 2
        groups("0::/\n", **{"cpu.max": "800000 100000"})
        cpu_quota.follow_cpu_quota()
        assert torch.get_num_threads() == 2  # never more
    finally:
        torch.set_num_threads(threads)
