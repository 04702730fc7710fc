"""Strangers whose agents offer one and the same set of tools."""

from __future__ import annotations

from stillwatch.detectors.declare import Detector, Fires, Range, Ranges, Seen, Silent, Values

MOST_OF, SAME = 0.6, 0.5
"Share of calls with tools from which the work is agents' work, and share of organisations with the same set of tools."


def look(values: Values, ranges: Ranges) -> Seen:
    """Fires when most calls offer tools and half of the organisations the same ones."""
    offered, same = values["tools_offered"], values["one_toolset"]
    text = f"{offered:.0%} of the core calls offer tools, and {same:.0%} of the organisations that do offer one and the same set"
    return Seen(offered, offered >= MOST_OF and same >= SAME, text)


DETECTOR = Detector(
    name="tool orchestration",
    reads=("tools_offered", "one_toolset"),
    value="tools_offered",
    unit="share of calls",
    look=look,
    factor="concentration",
    atlas="AML.T0024.002",
    speaks_of_purpose=False,
    why="How to use tools is among what was taken most; a harvest runs one harness everywhere.",
    lookalike="fleets of agents on one popular framework, which offers everybody the same tools: it never decides",
    blind_spot="toolsets renamed or shuffled for each account, and logs that keep only the number of tools",
    cases=(
        Fires({"tools_offered": 0.95, "one_toolset": 0.9}, {"tools_offered": Range(0.0, 1.0)}),
        Silent({"tools_offered": 0.95, "one_toolset": 0.2}, {"tools_offered": Range(0.0, 1.0)}, "a popular framework to which everybody adds tools of its own"),
        Silent({"tools_offered": 0.1, "one_toolset": 0.9}, {"tools_offered": Range(0.0, 1.0)}, "a chat that now and then offers a search"),
        Fires({"tools_offered": 0.65, "one_toolset": 0.55}, {"tools_offered": Range(0.0, 1.0)}),
        Silent(
            {"tools_offered": 0.95, "one_toolset": 0.45}, {"tools_offered": Range(0.0, 1.0)}, "a framework of which fewer than half keep the tools as they are"
        ),
        Silent({"tools_offered": 0.55, "one_toolset": 0.9}, {"tools_offered": Range(0.0, 1.0)}, "a chat whose users switch a search on and off"),
    ),
)
