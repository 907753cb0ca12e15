/**
 * The DICOM conformance statement, in the order of the standard's template.
 *
 * Source: DICOM PS3.2 Annex N. Prose is here; whatever is a table in the code comes from there
 * (tables.ts), so that this page can't fall behind.
 */

import { QUERY_SYNTAXES } from '#box/pacs/pacs.ts'
import { STORE_STATUS } from '#box/pacs/receive.ts'
import { OTHER_STUDY } from '#box/stow/receive-objects.ts'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/part10.ts'
import { IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { FAILURE } from '#standards/dicomweb/store-response.ts'
import { APPLICATION_CONTEXT } from '#standards/dimse/associate.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'
import { httpStatuses, queryKeys, receivedSyntaxes, settings, storageClasses, syntaxNames, table, timersAndLimits, transactions } from './tables.ts'

const hex = (status: number): string => `${status.toString(16).toUpperCase().padStart(4, '0')}H`

export function conformanceStatement (): string {
  return [title(), overview(), introduction(), model(), services(), configuration(), communication(), security(), annexes()].join('\n\n') + '\n'
}

function title (): string {
  return `# DICOM Conformance Statement: DRIMbox Edge

<!-- Written by scripts/conformance.ts from the tables that the code uses: change those, or the script, then run it. -->

Organised as DICOM PS3.2 Annex N (template for a DICOM Conformance Statement). Version name
${IMPLEMENTATION_VERSION_NAME}.`
}

function overview (): string {
  return `## 1 Overview

DRIMbox Edge is a gateway between the PACS of one imaging centre and DICOMweb clients: viewers on the centre's network,
and, through an outward face, the gateways of other centres. It holds no images of its own: what it retrieves from the
PACS it keeps for a while, byte for byte, and serves from there. It creates and changes no SOP Instances in the PACS.

### 1.1 Content and Transfer

Instances of every class of Annex A.A are stored temporarily and transferred in the transfer syntaxes of section 7.2.
None is created. Rendered pictures are made of images, and documents of structured reports and encapsulated PDF; they
are not SOP Instances.

### 1.2 DIMSE Services

${table(['Service', 'SOP Class', 'UID', 'User of service (SCU)', 'Provider of service (SCP)'], [
  ['Verification', 'Verification', VERIFICATION, 'Y', 'Y'],
  ['Storage', 'every class of Annex A.A', '–', 'Option: on behalf of callers of the Store transaction (setting `stow.enabled`)', 'Y: of what it has asked for'],
  ['Query/Retrieve', 'Study Root Query/Retrieve Information Model – FIND', QUERY_RETRIEVE.study.find, 'Y', 'N'],
  ['Query/Retrieve', 'Study Root Query/Retrieve Information Model – MOVE', QUERY_RETRIEVE.study.move, 'Y (setting `pacs.method`)', 'N'],
  ['Query/Retrieve', 'Study Root Query/Retrieve Information Model – GET', QUERY_RETRIEVE.study.get, 'Option (setting `pacs.method`)', 'N'],
  ['Workflow Management, Storage Commitment, Print Management', '–', '–', 'N', 'N']
])}

### 1.3 DICOM Web Services

${table(['Service', 'User agent', 'Origin server'], [
  ['URI (WADO-URI)', 'N', 'see section 5.3.1'],
  ['Studies: Retrieve (WADO-RS)', 'N', 'Y'],
  ['Studies: Store (STOW-RS)', 'N', 'Option (setting `stow.enabled`), on the centre\'s network only'],
  ['Studies: Search (QIDO-RS)', 'N', 'Y, on the centre\'s network only'],
  ['Studies: Delete', 'N', 'N'],
  ['Worklist, Non-Patient Instance, Storage Commitment and all others', 'N', 'N']
])}

### 1.4 Media Services

None.

### 1.5 Real-Time Video Services

None.

### 1.6 De-identification Profiles

None.

### 1.7 Specific Character Sets

Every character set of PS3.3 section C.12.1.1.2 is read, single-byte and multi-byte, with and without code extensions;
see section 5.7.

## 2 Table of Contents

1 Overview · 2 Table of Contents · 3 Introduction · 4 Implementation Model · 5 Service and Interoperability Description ·
6 Configuration · 7 Network and Media Communication Details · 8 Security · Annex A`
}

function introduction (): string {
  return `## 3 Introduction

### 3.1 Revision History

Kept with the source: this page changes with the code that it describes.

### 3.2 Audience

Integrators, PACS administrators and engineers of viewers, who know DICOM's terms.

### 3.3 Remarks

Conformance as stated here doesn't by itself guarantee that two products work together. \`drimbox pair\` proves the path
to a given PACS, and prints a sheet for its vendor.

### 3.4 Terms and Definitions; 3.5 Abbreviations

As in PS3.1 to PS3.18. *Pack*: the stored form of one series. *Slot*: an association that the PACS bears.

### 3.6 References

DICOM PS3.1 to PS3.18; RFC 9110, 9111, 9457; HL7 FHIR R4 (not a DICOM service).`
}

function model (): string {
  return `## 4 Implementation Model

### 4.1 Application Entities and Data Flow

One application entity, DRIMBOX by default, with two sides:

- a **network AE** towards the PACS: it asks (C-ECHO, C-FIND, C-MOVE or C-GET, and C-STORE where storing is switched on)
  and, on its listening port, takes the C-STORE sub-operations of its own C-MOVE;
- an **origin server** towards DICOMweb clients.

A retrieve of a client becomes one C-MOVE to the AE's own title (or one C-GET), and a C-FIND that counts what there is.
Objects are answered to the PACS once they are in the pack, and leave to every client that wants them. A search becomes
C-FIND, level by level. A store request becomes C-STORE.

#### 4.1.1 Functional Definition of the AE

Retrieves of one study are joined: however many clients ask, the PACS is asked once. What didn't arrive is asked for
again, as often as \`pacs.retriesMax\` says. A PACS that fails several times in a row is left alone for a while.

#### 4.1.2 Sequencing of Real-World Activities

1. A client asks for a study, series, instance or frames that aren't held.
2. C-MOVE to the own title at the level asked for (C-GET after a C-FIND at image level), beside it a C-FIND at series level.
3. The PACS opens an association to the AE and stores; each C-STORE is answered once its data set is in the pack.
4. The instances that are missing by the count are asked for by name, at image level.`
}

function services (): string {
  return `## 5 Service and Interoperability Description

### 5.1 Mapping of Services to Application Entities

All services belong to the one AE of section 4.1.

### 5.2 DIMSE Services

#### 5.2.5 Storage Service

##### 5.2.5.1 SCU of the Storage SOP Classes

Only on behalf of a caller of the Store transaction. The data set is sent as received: no attribute is coerced, and no
transfer syntax is changed. One presentation context is proposed for each pair of SOP Class and transfer syntax, and one
for each SOP Class with ${syntaxNames([IMPLICIT_LE])}. An object whose context wasn't accepted is told as
${hex(FAILURE.sopClassUnsupported)} or ${hex(FAILURE.transferSyntaxUnsupported)}. Several objects go over one association;
one that ended before its answer came is opened anew, and that object sent once more.

##### 5.2.5.2 SCP of the Storage SOP Classes

Level 2 (Full), for as long as the pack is kept: every attribute, private ones included, is kept as received. Objects that
no retrieve under way has asked for are refused with ${hex(STORE_STATUS.notAuthorized)}. No digital signature is checked
or altered. Only titles and addresses of \`pacs.senders\` are accepted.

#### 5.2.7 Query/Retrieve Service

##### 5.2.7.1 SCU of the Query/Retrieve SOP Classes

Study Root. Hierarchical queries; relational queries, fuzzy matching, time zone adjustment and enhanced multi-frame
conversion aren't negotiated. Keys are those that a client names (matching), and those of this table (return):

${queryKeys()}

Private attributes may be return keys. Answers that don't belong to the study, series or instance asked for are left out.

C-MOVE and C-GET are asked at STUDY, SERIES and IMAGE level with unique keys only; the destination of C-MOVE is the AE's
own title. A client that leaves causes C-CANCEL. The priority is MEDIUM.

##### 5.2.7.2 SCP of the Query/Retrieve SOP Classes

None.

### 5.3 DICOM Web Services

#### 5.3.1 URI Web Service

${hasUri() ? transactions('PS3.18 §9') : 'Not offered.'}

#### 5.3.2 Studies Web Service

##### 5.3.2.1 Media Types

Those of the tables below. An Accept without \`transfer-syntax\` means: as stored
(docs/decisions/0003-accept-without-transfer-syntax.md). Objects are transcoded only where Accept demands it; section
7.2 says between which transfer syntaxes.

##### 5.3.2.2 Retrieve, Search and Store Transactions

Retrieve (PS3.18 section 10.4):

${transactions('PS3.18 §10.4')}

Store (PS3.18 section 10.5):

${transactions('PS3.18 §10.5')}

Bodies of metadata with bulk data (\`application/dicom+json\`, \`application/dicom+xml\`) are refused with 415. A store
request may hold objects of one study or of several; objects are handed to the PACS in the order in which they come.
\`stow.objectBytesMax\` bounds each of them.

Search (PS3.18 section 10.6); matching keys are those of section 5.2.7.1 and every other attribute of PS3.6:

${transactions('PS3.18 §10.6')}

Capabilities (PS3.18 section 8.9):

${transactions('PS3.18 §8.9')}

Conditional requests, HEAD and OPTIONS are answered for every resource.

### 5.4 Media Services

None.

### 5.5 Real-Time Video Services

None.

### 5.6 Cross-Service Considerations

What is stored by the Store transaction is retrieved from the PACS again: series that were held before are forgotten.
Study Instance UID, Series Instance UID and SOP Instance UID are never changed.

### 5.7 Specific Character Sets

Read: ISO 2022 and plain forms of ISO_IR 6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166 and 203, ISO_IR 192,
GB18030 and GBK. DICOM JSON and XML are in UTF-8. Queries are written in the character set of \`pacs.characterSet\` where
it has all letters, else in the smallest of ISO_IR 100, ISO_IR 203 and ISO_IR 192 that has. Objects keep theirs.`
}

function hasUri (): boolean {
  return transactions('PS3.18 §9').includes('GET')
}

function configuration (): string {
  return `## 6 Configuration

### 6.1 General Configuration Parameters

Settings are read from one file at start; \`src/box/config.ts\` declares them all.

### 6.2 Configuration of DIMSE Services

The PACS:

${settings('pacs')}

The listening side:

${settings('dimse')}

When what is held is asked for again:

${settings('freshness')}

### 6.3 Configuration of DICOM Web Services

${settings('http')}

Store:

${settings('stow')}

Transcoding and rendering:

${settings('pixels')}

### 6.4 Configuration of Media Storage Services; 6.5 of Real-Time Video Services; 6.6 of the Audit Trail

None.`
}

function communication (): string {
  return `## 7 Network and Media Communication Details

### 7.1 General

#### 7.1.1 General Association Parameters

${table(['Parameter', 'Value'], [
  ['Implementation Class UID', IMPLEMENTATION_CLASS_UID],
  ['Implementation Version Name', IMPLEMENTATION_VERSION_NAME],
  ['Application Context Name', APPLICATION_CONTEXT],
  ['Associations initiated at the same time', 'setting `pacs.associationsMax`'],
  ['Associations accepted at the same time', 'setting `dimse.associationsMax`'],
  ['Asynchronous operations', 'not negotiated: one operation at a time on an association'],
  ['Network', 'TCP over IPv4 or IPv6, Nagle\'s algorithm off']
])}

${timersAndLimits()}

The settings \`pacs.connectSeconds\`, \`pacs.responseSeconds\` and \`dimse.idleSeconds\` take the place of the first, third and
fifth of these.

### 7.2 Specifications

#### 7.2.1 DRIMBOX Application Entity

##### 7.2.1.1 Association Initiation

${table(['Activity', 'Abstract syntax', 'Transfer syntaxes', 'Role', 'Extended negotiation'], [
  ['Find, move, check', 'Verification; Study Root FIND; Study Root MOVE', syntaxNames(QUERY_SYNTAXES), 'SCU', 'none'],
  ['Get', 'Study Root GET', syntaxNames(QUERY_SYNTAXES), 'SCU', 'none'],
  ['Get: its stores', 'the classes that the PACS names for the instances, else those of the modality', 'one context for each class and transfer syntax of section 7.2.2, at first those alone that the caller named and that are lossless', 'SCP (role selection)', 'none'],
  ['Store for a caller', 'the classes of the objects', 'one context for each class and transfer syntax of the objects; ' + syntaxNames([IMPLICIT_LE]) + ' for each class', 'SCU', 'none']
])}

##### 7.2.1.2 Association Acceptance

Called titles other than the own one, and calling titles that aren't the PACS's, are rejected with the reasons of PS3.8
Table 9-21. Verification and every class of Annex A.A are accepted. Of the transfer syntaxes that are offered for a
presentation context, the first of the following is accepted; what the callers of the retrieves under way named goes
first, lossless before lossy (docs/decisions/0050).

#### 7.2.2 Transfer Syntaxes

${receivedSyntaxes()}

*Frames decoded* and *encoded* say between which transfer syntaxes objects and frames are transcoded for DICOMweb clients.

### 7.3 Status Codes

#### 7.3.1 General Communication and Failure Behaviour

A retrieve that fails is told to the client; an answer that has begun is cut, so that nothing partial looks whole. See
docs/operations.md for each code.

#### 7.3.2 DIMSE Services

C-STORE, as SCP:

${table(['Status', 'Code', 'Condition'], [
  ['Success', hex(STORE_STATUS.success), 'the object is in the pack; also where it was there before'],
  ['Refused: Not authorized', hex(STORE_STATUS.notAuthorized), 'no retrieve under way has asked for it'],
  ['Refused: Out of resources', hex(STORE_STATUS.outOfResources), 'the disk is full, or refused it'],
  ['Error: Data Set does not match SOP Class', hex(STORE_STATUS.mismatch), 'the SOP Instance UID isn\'t that of the command'],
  ['Error: Cannot understand', hex(STORE_STATUS.cannotUnderstand), 'no Study or Series Instance UID can be read'],
  ['Refused: SOP Class not supported', '0122H', 'the class isn\'t that of the presentation context'],
  ['Invalid object instance', '0117H', 'the SOP Instance UID is none'],
  ['Processing failure', '0110H', 'anything else']
])}

C-STORE, as SCU: 0000H and the warnings B000H, B006H, B007H and BxxxH, 0001H, 0107H and 0116H count as stored; every other
status as failed, and is passed on to the caller.

C-FIND, as SCU: FF00H and FF01H are matches, 0000H ends them; every other status fails the search. C-MOVE and C-GET, as SCU:
0000H and B000H end a retrieve; other statuses fail it only where nothing was sent. What is missing is counted by C-FIND
in every case.

#### 7.3.3 DICOM Web Services

##### 7.3.3.3 Studies Web Service

Success: 200; 204 where a search in XML finds nothing; 206 where the PACS is known to keep instances back, and for ranges;
304 for conditional requests. Failures of every transaction:

${httpStatuses()}

Store transaction, as origin server:

${table(['Status', 'Code', 'Condition'], [
  ['Success', '200 (OK)', 'the PACS has answered success for every object'],
  ['Success', '202 (Accepted)', 'some are stored; others are not, or with a warning: the payload tells which'],
  ['Failure', '400 (Bad Request)', 'none is stored, since none is a readable object, or the body ends before its end'],
  ['Failure', '409 (Conflict)', 'none is stored, for other reasons: the payload tells them'],
  ['Failure', '415 (Unsupported Media Type)', 'the body is of another type, or compressed'],
  ['Failure', '501 (Not Implemented)', 'storing is switched off'],
  ['Failure', '502, 503, 504', 'none is stored, since the PACS can\'t be reached, refused or fell silent; 503 also for too many callers']
])}

Failure Reason (0008,1197), besides the statuses of the PACS:

${table(['Code', 'Condition'], [
  [hex(FAILURE.outOfResources), 'longer than `stow.objectBytesMax`, no room to hold it, or more objects than one request may bring'],
  [hex(OTHER_STUDY), 'of another study than the resource names'],
  [hex(FAILURE.cannotUnderstand), 'not a DICOM object, one without its UIDs, or one that is cut; in Other Failures Sequence (0008,119A) where no SOP Instance UID is known'],
  [hex(FAILURE.sopClassUnsupported), 'the PACS accepts no presentation context of the SOP Class'],
  [hex(FAILURE.transferSyntaxUnsupported), 'the PACS accepts the SOP Class, not in this transfer syntax'],
  [hex(FAILURE.notAuthorized), 'the PACS rejected the presentation context as a user'],
  [hex(FAILURE.processing), 'the PACS gave no answer: the object may or may not be stored']
])}

Warning Reason (0008,1196) is the warning of the PACS.`
}

function security (): string {
  return `## 8 Security

### 8.1 Introduction

The AE is meant for the centre's own network; the outward face lies behind a front of its own.

### 8.2 External Network Requirements

Name resolution, where \`pacs.host\` is a name.

### 8.3 TCP Port Configuration

${table(['Port', 'Direction', 'Setting'], [
  ['11112', 'in, DIMSE', '`dimse.port`'],
  ['8042', 'in, HTTP', '`http.port`, or a UNIX socket'],
  ['104', 'out, DIMSE', '`pacs.port`']
])}

### 8.4 Security Profiles

Secure Transport Connection: BCP 195 TLS profile (PS3.15 section B.9), TLS 1.2 and later, in both directions, with client
certificates where authorities are named (\`pacs.tls\`, \`dimse.tls\`). All others: none.

### 8.5 User Identity Negotiation

Not proposed; passed over when offered.

### 8.6 Authentication of Web Services

On the centre's network none; on the outward face bearer tokens and published manifests, by the national profile
(docs/standards/dicomweb.md).`
}

function annexes (): string {
  return `## Annex A

### A.A Information Object Definitions

Objects of these classes are received and transferred as they are. *Store* means for as long as the pack is kept.

${storageClasses()}

No attribute is added, removed or changed, with one exception: on the outward face, an item of Other Patient IDs Sequence
(0010,1002) with the national identity of the patient is appended to each object that leaves. Transcoding changes the pixel
data, the attributes that describe their coding, and, where it is lossy, those that tell so.

### A.B Structured Report Content Encoding

None is created.

### A.C Security Details

None beyond section 8.

### A.D Mapping of Attributes

FHIR ImagingStudy (setting \`fhir.enabled\`) is made from C-FIND answers as HL7 FHIR R4 maps them; it is not a DICOM service.

### A.E Code Sets

None.`
}
