"""STIX 2.1's open vocabularies and relationships, as far as records of the exchange and what they point to go."""

from __future__ import annotations

WORDS = {
    "grouping.context": "suspicious-activity malware-analysis unspecified",
    "identity.identity_class": "individual group system organization class unknown",
    "identity.sectors": "agriculture aerospace automotive chemical commercial communications construction defense education energy entertainment "
    "financial-services government emergency-services government-local government-national government-public-services government-regional healthcare "
    "hospitality-leisure infrastructure dams nuclear water insurance manufacturing mining non-profit pharmaceuticals retail technology telecommunications "
    "transportation utilities",
    "indicator.indicator_types": "anomalous-activity anonymization benign compromised malicious-activity attribution unknown",
    "indicator.pattern_type": "stix pcre sigma snort suricata yara",
    "infrastructure.infrastructure_types": "amplification anonymization botnet command-and-control control-system exfiltration firewall hosting-malware "
    "hosting-target-lists phishing reconnaissance routers-switches staging workstation unknown",
    "intrusion-set.resource_level": "individual club contest team organization government",
    "intrusion-set.primary_motivation": "accidental coercion dominance ideology notoriety organizational-gain personal-gain personal-satisfaction revenge unpredictable",
    "opinion.opinion": "strongly-disagree disagree neutral agree strongly-agree",
}

VOCABULARY = {name: frozenset(words.split()) for name, words in WORDS.items()}
"Property -> the words it may have."

EXTENSIONS = frozenset({"new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension"})
"Types of extension."

RELATED_ANYHOW = frozenset({"derived-from", "duplicate-of", "related-to"})
"Relationships between any two objects."

OF_OTHERS = frozenset({"bundle", "language-content", "marking-definition", "sighting", "relationship", "extension-definition"})
"Types between which no relationship is suggested."

_RELATED = """
attack-pattern delivers malware | attack-pattern targets location vulnerability identity | attack-pattern uses malware tool
campaign attributed-to intrusion-set threat-actor | campaign compromises infrastructure | campaign originates-from location
campaign targets location identity vulnerability | campaign uses attack-pattern infrastructure malware tool
course-of-action investigates indicator | course-of-action mitigates attack-pattern indicator malware tool vulnerability
course-of-action remediates malware vulnerability | domain-name resolves-to domain-name ipv4-addr ipv6-addr | identity located-at location
indicator indicates attack-pattern campaign infrastructure intrusion-set malware threat-actor tool | indicator based-on observed-data
infrastructure communicates-with infrastructure ipv4-addr ipv6-addr domain-name url
infrastructure consists-of infrastructure observed-data artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr ipv6-addr \
mac-addr mutex network-traffic process software url user-account windows-registry-key x509-certificate
infrastructure controls infrastructure malware | infrastructure delivers malware | infrastructure has vulnerability | infrastructure hosts tool malware
infrastructure located-at location | infrastructure uses infrastructure
intrusion-set attributed-to threat-actor | intrusion-set compromises infrastructure | intrusion-set hosts infrastructure
intrusion-set originates-from location | intrusion-set owns infrastructure | intrusion-set targets identity location vulnerability
intrusion-set uses attack-pattern infrastructure malware tool
ipv4-addr resolves-to mac-addr | ipv4-addr belongs-to autonomous-system | ipv6-addr resolves-to mac-addr | ipv6-addr belongs-to autonomous-system
malware authored-by threat-actor intrusion-set | malware beacons-to infrastructure | malware exfiltrates-to infrastructure
malware communicates-with ipv4-addr ipv6-addr domain-name url | malware controls malware | malware downloads malware file tool
malware drops malware file tool | malware exploits vulnerability | malware originates-from location | malware targets identity infrastructure location
malware uses attack-pattern infrastructure malware tool | malware variant-of malware | malware-analysis characterizes malware
malware-analysis analysis-of malware | malware-analysis static-analysis-of malware | malware-analysis dynamic-analysis-of malware
threat-actor attributed-to identity | threat-actor compromises infrastructure | threat-actor hosts infrastructure | threat-actor owns infrastructure
threat-actor impersonates identity | threat-actor located-at location | threat-actor targets identity location vulnerability
threat-actor uses attack-pattern infrastructure malware tool
tool delivers malware | tool drops malware | tool uses infrastructure | tool has vulnerability | tool targets identity infrastructure location vulnerability
vulnerability impacts infrastructure tools
"""

RELATED: dict[tuple[str, str], frozenset[str]] = {
    (source, kind): frozenset(targets)
    for line in _RELATED.splitlines()
    for rule in line.split("|")
    if rule.strip()
    for source, kind, *targets in [rule.split()]
}
"Source and kind -> the targets that STIX suggests."

DOMAIN = (
    "attack-pattern", "campaign", "course-of-action", "grouping", "identity", "incident", "indicator", "infrastructure", "intrusion-set", "location",
    "malware-analysis", "malware", "note", "observed-data", "opinion", "report", "threat-actor", "tool", "vulnerability",
)  # fmt: skip
"Domain objects: observed data points to none of them."
