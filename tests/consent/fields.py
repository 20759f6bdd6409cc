"""The fields that ISO/IEC TS 27560 makes mandatory, by the guide of the DPV, and where a receipt has each."""

from __future__ import annotations

RECORD = ("dpv:hasRecordOfActivity",)
PROCESS, ENTITY, STATUS = (
    (*RECORD, "dpv:hasProcess", 0),
    (*RECORD, "dpv:hasEntity", 0),
    (*RECORD, "dpv:hasConsentStatus"),
)
FIELDS: dict[str, tuple[str | int, ...]] = {
    "8.1.1 Schema Version": (*RECORD, "dct:conformsTo", "@id"),
    "8.1.2 Record Identifier": (*RECORD, "dct:identifier"),
    "8.1.3 Data Subject": (*RECORD, "dpv:hasDataSubject", "dct:identifier"),
    "8.2.1 Notice": (*RECORD, "dpv:hasNotice", 0, "dct:identifier"),
    "8.2.2 Notice Language": (*RECORD, "dpv:hasNotice", 0, "dct:language"),
    "8.3.1 Process": PROCESS,
    "8.3.2 Purpose": (*PROCESS, "dpv:hasPurpose", 0, "@type"),
    "8.3.3 Personal Data": (*PROCESS, "dpv:hasPersonalData", 0, "dct:identifier"),
    "8.3.3.1 Personal Data Type": (*PROCESS, "dpv:hasPersonalData", 0, "@type"),
    "8.3.4.2 Storage Condition(s)": (*PROCESS, "dpv:hasStorageCondition", 0, "dct:description"),
    "8.3.5 Data Controller(s)": (*PROCESS, "dpv:hasDataController", 0, "@id"),
    "8.3.7 Recipients": (*PROCESS, "dpv:hasRecipient", 0, "dct:identifier"),
    "8.3.8 Consent Change & Withdrawal": (*PROCESS, "dpv:hasConsentControl", 0, "dpv:isExercisedAt"),
    "8.3.9 Jurisdiction(s)": (*PROCESS, "dpv:hasJurisdiction", 0),
    "8.3.10 Rights": (*PROCESS, "dpv:hasRight", 0, "dpv:isExercisedAt"),
    "8.4.1 Name": (*ENTITY, "dpv:hasName"),
    "8.4.2 Identifier": (*ENTITY, "dpv:hasIdentifier"),
    "8.4.3 Role": (*ENTITY, "@type"),
    "8.4.4 Contact": (*ENTITY, "schema:contactPoint", 0),
    "8.4.4.1 Postal Address": (*ENTITY, "schema:contactPoint", 1, "schema:streetAddress"),
    "8.5.1 Consent Type": (*STATUS, "@type", 1),
    "8.5.2 Consent State": (*STATUS, "@type", 0),
    "8.5.3 Event Time": (*STATUS, "dpv:isIndicatedAtTime"),
    "8.5.4 Event Duration": (*STATUS, "dpv:hasDuration", 0, "rdf:value"),
    "8.5.5 Expression by Entity": (*STATUS, "dpv:isIndicatedBy"),
    "9.1.1 Schema Version": ("dct:conformsTo", "@id"),
    "9.1.2 Record Identifier": ("dpv:hasIdentifier",),
    "9.1.3 Associated Consent Record": RECORD,
    "9.1.4 Creation Timestamp": ("dct:created",),
}
