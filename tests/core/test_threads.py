import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core.threads import map_ahead


@given(st.lists(st.integers(), max_size=40), st.integers(1, 5), st.integers(0, 5))
def test_results_come_in_the_order_of_the_items(items, threads, ahead):
    taken = []
    noted = (taken.append(item) or item for item in items)
    for position, result in enumerate(map_ahead(str, noted, threads, ahead)):
        assert result == str(items[position])
        assert len(taken) <= position + 1 + ahead
    assert taken == items


def test_an_error_is_raised_where_its_result_would_come():
    results = map_ahead(lambda divisor: 1 / divisor, [1, 0, 2], 2, 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
