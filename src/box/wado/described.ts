/**
 * What each DICOMweb route is, in the words of the standard. A route without an entry here, and an entry
 * without its route, are caught by a test: the capabilities are the routes.
 *
 * Source: DICOM PS3.18 Tables 10.4.1-1, 10.6.1-1, H-1; §9.
 */

import { Type } from 'typebox'
import { EVERY_TYPE } from '#standards/dicomweb/rendered-media.ts'
import type { RouteDescription } from '#standards/dicomweb/served-route.ts'
import { DESCRIBED_RENDERED } from './described-rendered.ts'

const Accept = Type.Optional(Type.String({ description: 'what Accept says, for those who cannot set it' }))
const negotiated = Type.Object({ accept: Accept })
const charset = Type.Optional(Type.String({ description: 'UTF-8, which all text is in' }))
const described = Type.Object({ accept: Accept, charset })

const search = Type.Object({
  accept: Accept,
  charset,
  includefield: Type.Optional(Type.String({ description: 'attributes to give besides: keywords, tags, or all; a list, or repeated' })),
  limit: Type.Optional(Type.Integer({ minimum: 0, description: 'answers at most' })),
  offset: Type.Optional(Type.Integer({ minimum: 0, description: 'answers passed over' })),
  fuzzymatching: Type.Optional(Type.Boolean({ description: 'not supported: a Warning says so' })),
  PatientID: Type.Optional(Type.String({ description: 'as every other matching key: a keyword or tag of an attribute' })),
  StudyDate: Type.Optional(Type.String({ description: 'a date, or a range: 20250101-20250131' }))
})

const conditional = Type.Object({
  'If-None-Match': Type.Optional(Type.String({ description: 'the ETag of what the caller has' })),
  'If-Modified-Since': Type.Optional(Type.String({ description: 'an HTTP date' })),
  'Accept-Encoding': Type.Optional(Type.String({ description: 'gzip' }))
})
const ranged = Type.Object({
  'If-None-Match': Type.Optional(Type.String({ description: 'the ETag of what the caller has' })),
  'If-Modified-Since': Type.Optional(Type.String({ description: 'an HTTP date' })),
  Range: Type.Optional(Type.String({ description: 'one range of bytes, of a single part' })),
  'If-Range': Type.Optional(Type.String({ description: 'the ETag or date of what the range belongs to' }))
})

const OBJECTS = ['multipart/related; type="application/dicom"']
const METADATA = ['application/dicom+json', 'application/json', 'multipart/related; type="application/dicom+xml"']
const MATCHES = ['application/dicom+json', 'application/json', 'multipart/related; type="application/dicom+xml"']
const OCTETS = ['multipart/related; type="application/octet-stream"', 'application/octet-stream']
const FRAME_TYPES = ['image/jpeg', 'image/jls', 'image/jp2', 'image/jphc', 'image/dicom-rle']
const VIDEO_TYPES = ['video/mpeg', 'video/mp4', 'video/h265']
const PIXEL_TYPES = [...OCTETS, ...FRAME_TYPES.flatMap(type => [`multipart/related; type="${type}"`, type]), ...VIDEO_TYPES]

const STUDY = '/studies/:study'
const SERIES = `${STUDY}/series/:series`
const INSTANCE = `${SERIES}/instances/:instance`

const uri = Type.Object({
  requestType: Type.Literal('WADO'),
  studyUID: Type.String(),
  seriesUID: Type.String(),
  objectUID: Type.String(),
  contentType: Type.Optional(Type.String({ description: 'media types, in order of liking' })),
  transferSyntax: Type.Optional(Type.String({ description: 'of application/dicom: a UID, or * for what is stored' })),
  frameNumber: Type.Optional(Type.Integer({ minimum: 1 })),
  rows: Type.Optional(Type.Integer({ minimum: 1, description: 'of the picture, at most' })),
  columns: Type.Optional(Type.Integer({ minimum: 1, description: 'of the picture, at most' })),
  region: Type.Optional(Type.String({ description: 'left,top,right,bottom, each from 0 to 1' })),
  windowCenter: Type.Optional(Type.Number()),
  windowWidth: Type.Optional(Type.Number()),
  imageQuality: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  charset
})

const finding = (id: string, summary: string): RouteDescription => ({ id, summary, section: 'PS3.18 §10.6', query: search, answers: MATCHES, failures: [501] })
const level = (path: string, name: string) => ({
  [`GET ${path}`]: { id: `Retrieve${name}`, summary: `Every object of one ${name.toLowerCase()}.`, section: 'PS3.18 §10.4', query: negotiated, headers: conditional, answers: OBJECTS, successes: [206, 304], failures: [404, 502, 503, 504] },
  [`GET ${path}/metadata`]: { id: `Retrieve${name}Metadata`, summary: `The attributes of every object of one ${name.toLowerCase()}, bulk data by reference.`, section: 'PS3.18 §10.4', query: described, headers: conditional, answers: METADATA, successes: [206, 304], failures: [404, 502, 503, 504] },
  [`GET ${path}/bulkdata`]: { id: `Retrieve${name}BulkData`, summary: `Every value of one ${name.toLowerCase()} that metadata give by reference.`, section: 'PS3.18 §10.4', query: negotiated, answers: PIXEL_TYPES.filter(type => type.startsWith('multipart')), successes: [206], failures: [404, 502, 503, 504] },
  [`GET ${path}/pixeldata`]: { id: `Retrieve${name}PixelData`, summary: `The pixel data of one ${name.toLowerCase()}.`, section: 'PS3.18 §10.4', query: negotiated, answers: PIXEL_TYPES.filter(type => type.startsWith('multipart')), successes: [206], failures: [404, 502, 503, 504] }
} satisfies Record<string, RouteDescription>)

/** By method and path. HEAD and OPTIONS come with every resource, and aren't named. */
export const DESCRIBED: Readonly<Record<string, RouteDescription>> = {
  'GET /': { id: 'CheckHealth', summary: 'Whether the box, its PACS and its cache are well; or, as WADL, the capabilities.', section: 'PS3.18 §8.9', answers: ['application/json', 'application/vnd.sun.wadl+xml'], failures: [503] },
  'GET /openapi.json': { id: 'RetrieveOpenApi', summary: 'This service as an OpenAPI document.', section: 'PS3.18 §8.9', answers: ['application/json'] },
  'GET /studies': finding('SearchForStudies', 'Studies that match.'),
  'GET /series': finding('SearchForSeries', 'Series that match, of all studies.'),
  'GET /instances': finding('SearchForInstances', 'Instances that match, of all studies.'),
  [`GET ${STUDY}/series`]: finding('SearchForStudySeries', 'Series of one study.'),
  [`GET ${STUDY}/instances`]: finding('SearchForStudyInstances', 'Instances of one study.'),
  [`GET ${SERIES}/instances`]: finding('SearchForStudySeriesInstances', 'Instances of one series.'),
  ...level(STUDY, 'Study'),
  ...level(SERIES, 'Series'),
  ...level(INSTANCE, 'Instance'),
  ...DESCRIBED_RENDERED,
  'GET /wado': { id: 'RetrieveInstanceByUri', summary: 'One object, or a picture of it, by query parameters alone (WADO-URI).', section: 'PS3.18 §9.1', query: uri, headers: ranged, answers: ['application/dicom', ...EVERY_TYPE], successes: [206, 304], failures: [404, 416, 501, 502, 503, 504] },
  [`GET ${INSTANCE}`]: { ...level(INSTANCE, 'Instance')[`GET ${INSTANCE}`] as RouteDescription, summary: 'One object.', headers: ranged, answers: [...OBJECTS, 'application/dicom'] },
  [`GET ${INSTANCE}/pixeldata`]: { ...level(INSTANCE, 'Instance')[`GET ${INSTANCE}/pixeldata`] as RouteDescription, headers: ranged, answers: PIXEL_TYPES, successes: [206, 304], failures: [404, 416, 502, 503, 504] },
  [`GET ${INSTANCE}/bulkdata/*`]: { id: 'RetrieveBulkData', summary: 'One value, under the path that metadata give: 7FE00010, or 00400555/0/00420011.', section: 'PS3.18 §10.4', query: negotiated, headers: ranged, answers: [...PIXEL_TYPES, 'application/pdf'], successes: [206, 304], failures: [404, 416, 502, 503, 504] },
  [`GET ${INSTANCE}/frames/:frames`]: { id: 'RetrieveFrames', summary: 'Frames of one object, by number from 1, separated by commas.', section: 'PS3.18 §10.4', query: negotiated, headers: ranged, answers: PIXEL_TYPES.filter(type => !VIDEO_TYPES.includes(type)), successes: [206, 304], failures: [404, 416, 502, 503, 504] }
}
