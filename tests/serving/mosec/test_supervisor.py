from __future__ import annotations

from leanner.serving.mosec.supervisor import delay_s


def test_starts_in_a_row_come_ever_later_up_to_a_limit() -> None:
    assert [delay_s(number) for number in range(1, 9)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
