"""Tests of costs.py on a profile small enough to count by hand."""

import unittest

import costs

PROFILE = """\
# callgrind format
ob=(1) /lib/other.so
fn=(1) foreign
0x100 10 5
ob=(2) /program
fn=(2) operate
0x100 10 7
+4 * 1
calls=1 0x200
* * 1000
cob=(1)
cfn=(1)
calls=1 0x100 10
* 11 5
cfn=(3) runnel::detail::scheduler::look_around(runnel::detail::worker&)
calls=2 0x300
+4 * 40
ob=(2)
fn=(3)
0x300 90 40
"""


class ExecutedTest(unittest.TestCase):
    def test_counts_own_costs_once_and_leaves_out_what_the_clock_decides(self):
        total, _ = costs.executed(PROFILE, "/program", {0x100})
        self.assertEqual(total, 5 + 7 + 1)

    def test_counts_locked_instructions_of_the_program_alone(self):
        _, locked = costs.executed(PROFILE, "/program", {0x100})
        self.assertEqual(locked, 7)

    def test_knows_what_locks(self):
        for text in ("  1f6ac:\txchg   %al,(%rdi)", "  20914:\tlock cmpxchg %edi,(%rdx)"):
            self.assertIsNotNone(costs.LOCKED.match(text), text)
        for text in ("  1f6ac:\txchg   %ax,%ax", "  20914:\tcmpxchg %edi,(%rdx)"):
            self.assertIsNone(costs.LOCKED.match(text), text)


class ChangesTest(unittest.TestCase):
    RECORDED = {"send": (100.0, 2.0, 0.5)}

    def test_noise_is_no_change(self):
        self.assertEqual(costs.changes(self.RECORDED, {"send": (104.0, 2.1, 2.4)}), [])

    def test_each_cost_that_has_changed_is_named(self):
        found = costs.changes(self.RECORDED, {"send": (106.0, 3.0, 3.0)})
        self.assertEqual(found, ["send: 100.00 -> 106.00 instructions",
                                 "send: 2.00 -> 3.00 locked instructions",
                                 "send: 0.50 -> 3.00 system calls for 1,000 operations"])

    def test_what_has_become_cheaper_is_a_change_too(self):
        self.assertEqual(len(costs.changes(self.RECORDED, {"send": (90.0, 2.0, 0.5)})), 1)

    def test_a_row_that_was_never_recorded_is_named(self):
        self.assertEqual(costs.changes({}, {"send": (1.0, 0.0, 0.0)}), ["send: not recorded"])


if __name__ == "__main__":
    unittest.main()
