"""PromQL made at random, from all that its grammar has: each selector names a metric `metric…`."""

from hypothesis import strategies as st

_LABELS = st.sampled_from(["job", "pod", "by", "on", "sum"])
_VALUES = st.sampled_from(
    ['"a"', "'b'", "`c`", '"}"', '"{"', "'\\''", '"# x"', '"\\\\"', '""', '"[5m]"']
)
_NAMES = st.sampled_from(["metric_a", "metric:b:rate", "metric"])
_SPACE = st.sampled_from(["", " ", "\n", " # a { ' remark\n", "\t"])
_SPANS = st.sampled_from(["5m", "1h30m", "90s", "1d"])
_SPOT = st.sampled_from(
    ["", " offset 5m", " offset -1h", " @ 12", " @ end()", " @ start() offset 1m"]
)
_MATCHERS = st.builds("{}{}{}".format, _LABELS, st.sampled_from(["=", "!="]), _VALUES) | st.builds(
    "{}{}'x.*|y'".format, _LABELS, st.sampled_from(["=~", "!~"])
)


@st.composite
def _selectors(draw: st.DrawFn) -> str:
    inside = [draw(_MATCHERS) for _ in range(draw(st.integers(0, 2)))]
    form = draw(st.sampled_from(["bare", "braced", "named", "quoted"]))
    if form == "bare":
        return draw(_NAMES)
    space = draw(_SPACE)
    if form == "braced":
        return f"{draw(_NAMES)}{{{space}{','.join(inside)}{draw(_SPACE)}}}"
    first = '__name__=~"metric.*"' if form == "named" else '"metric.quoted"'
    return f"{{{space}{','.join([*inside, first])}}}"


def _lists(keyword: str) -> st.SearchStrategy[str]:
    labels = st.lists(_LABELS, max_size=2)
    return labels.map(lambda found: f"{keyword} ({', '.join(found)})")


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def made(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(form.format, *parts)

    grouping = st.one_of(_lists("by"), _lists("without"))
    joins = st.sampled_from(["+", "/", "and", "or", "unless", "atan2", "> bool"])
    matching = st.one_of(st.just(""), _lists("on"), _lists("ignoring"))
    ranged = st.builds("{}[{}]{}".format, _selectors(), _SPANS, _SPOT)
    subquery = st.builds("({})[1h:{}]".format, inner, st.sampled_from(["", "1m"]))
    return st.one_of(
        made("({}{})", _SPACE, inner),
        made("-{}", inner),
        made("{}({})", st.sampled_from(["sum", "max", "abs", "absent"]), inner),
        made("sum {} ({})", grouping, inner),
        made("max({}) {}", inner, grouping),
        made("topk(scalar({}), {})", inner, inner),
        made("rate({})", ranged),
        made("max_over_time({})", subquery),
        made('label_replace({}, "namespace", "x", "", "")', inner),
        made("({}) {} {} ({})", inner, joins, matching, inner),
        made("({}) * on (job) group_left(pod) ({})", inner, inner),
    )


QUERIES = st.recursive(st.builds("{}{}".format, _selectors(), _SPOT), _grown, max_leaves=6)
