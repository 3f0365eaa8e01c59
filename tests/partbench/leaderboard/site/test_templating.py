from __future__ import annotations

import json

from partbench.leaderboard.site.templating import breakable, script_json


def test_json_in_a_script_cannot_end_it_and_is_still_the_same_data() -> None:
    data = {"<!--": "</script>", "a&b": ["\u2028\u2029", "]]>", 1.5, None]}
    text = str(script_json(data))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


def test_long_names_may_be_broken_at_underscores_and_all_stay_escaped() -> None:
    assert breakable("a_b@c=<i>") == "a_b@c=&lt;i&gt;"
    assert breakable("a_b@c=<i>" + 6 * "d") == "a_<wbr>b@<wbr>c=<wbr>&lt;i&gt;dddddd"
