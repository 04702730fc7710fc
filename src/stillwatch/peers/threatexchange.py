"""An extension of the `threatexchange` command line (python-threatexchange, BSD): ranges of addresses that members told become signals that it fetches and matches.

    threatexchange config extensions add stillwatch.peers.threatexchange
    threatexchange config collab edit stix_bundle --create heard --filename /folder/bundle.json
    threatexchange fetch
    threatexchange match text -- 192.0.2.77

The bundle is STIX 2.1 as a TAXII client wrote it, or `stillwatch share` printed it. What was withdrawn or has expired is no signal at the next fetch. Every match is a seed of an investigation,
never a verdict: acting on what was heard takes evidence of one's own. Only that program imports this module.
"""

# Without postponed annotations: that program looks at the types of a configuration's fields.
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

import orjson
from threatexchange.content_type.content_base import ContentType
from threatexchange.content_type.text import TextContent
from threatexchange.exchanges import fetch_state as state
from threatexchange.exchanges.collab_config import CollaborationConfigWithDefaults
from threatexchange.exchanges.signal_exchange_api import SignalExchangeAPIWithSimpleUpdates
from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
from threatexchange.signal_type import index
from threatexchange.signal_type.signal_base import MatchesStr, SignalComparisonResult, SignalType

from stillwatch.errors import UserError
from stillwatch.exchange.barrier import acting
from stillwatch.exchange.stix import reading, words

ADDRESS = re.compile(r"(?<![\w.:])[0-9a-fA-F:.]{2,45}(?!\w)")
"What may be an address in a line of text, with a port or the end of a sentence behind it."

RANGE = re.compile(r"\[(?:ipv4-addr|ipv6-addr):value (?:ISSUBSET|=) '([0-9a-fA-F.:/]+)'\]")
"A pattern that is a range, or one address."


def addresses(text: str) -> list[IPv4Address | IPv6Address]:
    """Addresses in a text.

    >>> [str(each) for each in addresses("from 192.0.2.77:443, not 300.1.1.1, via ::ffff:192.0.2.5 and 2001:db8::1.")]
    ['192.0.2.77', '192.0.2.5', '2001:db8::1']
    """
    found = []
    for each in ADDRESS.findall(text):
        for attempt in (each, each.rstrip(".:"), each.partition(":")[0] if each.count(":") == 1 else ""):
            try:
                address = ip_address(attempt)
            except ValueError:
                continue
            found.append((address.version == 6 and address.ipv4_mapped) or address)
            break
    return found


class NetworkRangeIndex(index.SignalTypeIndex[index.T]):
    """Ranges by prefix length: an address is looked up once for each length that there is."""

    def __init__(self) -> None:
        self._ranges: dict[IPv4Network | IPv6Network, list[index.T]] = {}

    def add(self, signal_str: str, entry: index.T) -> None:
        """Add a range."""
        self._ranges.setdefault(ip_network(signal_str), []).append(entry)

    def query(self, query: str) -> Sequence[index.IndexMatchUntyped[index.SignalSimilarityInfo, index.T]]:
        """Everything known of the ranges in which an address of this text lies."""
        lengths = {(each.version, each.prefixlen) for each in self._ranges}
        around = {ip_network((address, length), strict=False) for address in addresses(query) for version, length in lengths if version == address.version}
        return [index.IndexMatchUntyped(index.SignalSimilarityInfo(), entry) for each in sorted(around, key=str) for entry in self._ranges.get(each, ())]


class NetworkRangeSignal(SignalType, MatchesStr):
    """A range of addresses: it matches every text that names an address within."""

    @classmethod
    def get_name(cls) -> str:
        """Its name on the command line."""
        return "network_range"

    @classmethod
    def get_content_types(cls) -> list[type[ContentType]]:
        """Lines of text."""
        return [TextContent]

    @classmethod
    def get_index_cls(cls) -> type[index.SignalTypeIndex[object]]:
        """How many are looked up at once."""
        return NetworkRangeIndex

    @classmethod
    def validate_signal_str(cls, signal_str: str) -> str:
        """The range in its shortest form. Raises: ValueError where it is none."""
        return str(ip_network(signal_str))

    @classmethod
    def matches_str(cls, signal: str, haystack: str) -> SignalComparisonResult:
        """Whether a text names an address within."""
        return SignalComparisonResult.from_bool_only(any(each in ip_network(signal) for each in addresses(haystack)))

    @staticmethod
    def get_examples() -> list[str]:
        """Ranges that documentation uses (RFC 5737, RFC 3849)."""
        return ["192.0.2.0/24", "2001:db8::/48"]


@dataclass
class _File:
    filename: str = field(metadata={"help": "absolute path of a STIX 2.1 bundle"})


@dataclass
class BundleConfig(CollaborationConfigWithDefaults, _File):
    """Which bundle."""


@dataclass
class Told(state.FetchedSignalMetadata):
    """What is known of a range."""

    tags: list[str] = field(default_factory=list)
    "The indicator's id, and the labels that it came with."

    def get_as_opinions(self) -> Sequence[state.SignalOpinion]:
        """A seed of an investigation, by somebody else."""
        return [state.SignalOpinion(False, state.SignalOpinionCategory.INVESTIGATION_SEED, set(self.tags))]


class StixBundleAPI(SignalExchangeAPIWithSimpleUpdates[BundleConfig, state.NoCheckpointing, Told]):
    """Ranges of a STIX bundle on disk."""

    def __init__(self, collab: BundleConfig) -> None:
        self._path = Path(collab.filename)

    @staticmethod
    def get_config_cls() -> type[BundleConfig]:
        """What is configured."""
        return BundleConfig

    @staticmethod
    def get_checkpoint_cls() -> type[state.NoCheckpointing]:
        """None: a bundle is read whole, so that what is withdrawn goes."""
        return state.NoCheckpointing

    @staticmethod
    def get_record_cls() -> type[Told]:
        """What is kept of a range."""
        return Told

    @classmethod
    def for_collab(cls, collab: BundleConfig) -> "StixBundleAPI":
        """The reader of a bundle."""
        return cls(collab)

    def fetch_iter(
        self, supported_signal_types: Sequence[type[SignalType]], checkpoint: state.NoCheckpointing | None
    ) -> Iterator[state.FetchDelta[tuple[str, str], Told, state.NoCheckpointing]]:
        """Everything that stands in it now."""
        try:
            objects = orjson.loads(self._path.read_bytes())["objects"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError("is no STIX bundle that can be read", str(self._path), "name what a TAXII client wrote, or `stillwatch share` printed") from error
        yield state.FetchDelta(dict(ranges(objects, time.time_ns() // 1000)), state.NoCheckpointing())


def ranges(objects: Sequence[Mapping[str, object]], at: int) -> Iterator[tuple[tuple[str, str], Told]]:
    """Ranges of indicators that hold (`at`: microseconds since 1970), as signals."""
    records = [each for each in reading.heard(objects).records if isinstance(each, words.Shared)]
    standing, _ = acting.standing(records, at)
    for each in standing:
        if isinstance(each, words.Indicator) and (found := RANGE.fullmatch(each.pattern)):
            yield (NetworkRangeSignal.get_name(), str(ip_network(found[1], strict=False))), Told([each.id, *([f"tlp:{each.tlp}"] if each.tlp else [])])


TX_MANIFEST = ThreatExchangeExtensionManifest(signal_types=(NetworkRangeSignal,), apis=(StixBundleAPI,))
"What the command line loads."
