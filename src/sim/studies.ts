/**
 * The studies of a simulated hospital: who, what and when. Everybody is made up.
 *
 * Deterministic from a seed, but for one study that is dated today. Nothing here holds pixels:
 * they are drawn when an object is first sent.
 */

import type { Attributes, Pixels } from './dataset-writer.ts'
import { ctSeries, mammographySeries, mrSeries, radiographySeries, ultrasoundSeries } from './image-series.ts'
import { reportSeries } from './report-series.ts'
import { seededUid } from './seeded.ts'

export type StudyName = 'ct' | 'mr' | 'cr' | 'mg' | 'us' | 'sr' | 'today'

export interface GeneratedInstance {
  readonly sopInstanceUid: string
  readonly sopClassUid: string
  /** In which the PACS holds it. */
  readonly transferSyntaxUid: string
  /** Attributes of the object alone; those of its series and study are added when it is written. */
  readonly attributes: Attributes
  readonly pixels?: () => Promise<Pixels>
}

export interface GeneratedSeries {
  readonly seriesUid: string
  readonly attributes: Attributes
  readonly instances: readonly GeneratedInstance[]
}

export interface GeneratedStudy {
  readonly name: StudyName
  readonly studyUid: string
  readonly patientName: string
  readonly modality: string
  readonly attributes: Attributes
  readonly series: readonly GeneratedSeries[]
}

export interface HospitalOptions {
  readonly seed?: number
  /** On which day the youngest study was made. */
  readonly today?: Date
  /** The national performance set has 1300. */
  readonly ctImages?: number
}

/** What a study's series need to know of it. */
export interface StudyPlan {
  readonly seed: number
  readonly studyUid: string
  readonly date: string
  readonly time: string
}

interface Person { readonly name: string, readonly id: string, readonly birth: string, readonly sex: 'F' | 'M' }

const ZOE: Person = { name: 'LEFÈVRE^Zoé', id: 'IPP-100201', birth: '19600214', sex: 'F' }
const GAETAN: Person = { name: 'MARTIN-BÉRANGER^Gaëtan', id: 'IPP-100202', birth: '19781103', sex: 'M' }
const NOELLE: Person = { name: 'ÇELIK^Noëlle', id: 'IPP-100203', birth: '19451225', sex: 'F' }
const INES: Person = { name: 'HÉBRARD^Inès', id: 'IPP-100204', birth: '19690530', sex: 'F' }
const MAEL: Person = { name: 'D\'AVEZAC^Maël', id: 'IPP-100205', birth: '20011017', sex: 'M' }
const OCEANE: Person = { name: 'NUÑEZ GARCÍA^Océane', id: 'IPP-100206', birth: '19920808', sex: 'F' }

export function generateStudies ({ seed = 1, today = new Date(), ctImages = 1300 }: HospitalOptions = {}): GeneratedStudy[] {
  const study = (
    name: StudyName, modality: string, person: Person, description: string, date: string, time: string,
    makeSeries: (plan: StudyPlan) => GeneratedSeries[]
  ): GeneratedStudy => {
    const studyUid = seededUid(seed, name)
    return {
      name,
      studyUid,
      patientName: person.name,
      modality,
      attributes: {
        SpecificCharacterSet: 'ISO_IR 100',
        StudyInstanceUID: studyUid,
        StudyDate: date,
        StudyTime: time,
        StudyID: `E${seed}${STUDY_NUMBERS[name]}`,
        AccessionNumber: `ACC${date.slice(2, 4)}-00${seed}${STUDY_NUMBERS[name]}`,
        StudyDescription: description,
        ReferringPhysicianName: 'DUPRÉ^François^^Dr',
        InstitutionName: 'Centre hospitalier Sainte-Thérèse',
        PatientName: person.name,
        PatientID: person.id,
        IssuerOfPatientID: 'CH-SAINTE-THERESE',
        PatientBirthDate: person.birth,
        PatientSex: person.sex
      },
      series: makeSeries({ seed, studyUid, date, time })
    }
  }
  return [
    study('ct', 'CT', ZOE, 'TDM thoraco-abdomino-pelvien avec injection', '20250312', '101502', plan => ctSeries(plan, ctImages)),
    study('mr', 'MR', GAETAN, 'IRM cérébrale sans et avec gadolinium', '20250407', '153000', mrSeries),
    study('cr', 'CR', NOELLE, 'Radiographie du thorax de face, debout', '20241119', '084512', plan => radiographySeries(plan, 'CHEST', 'Thorax de face', 1)),
    study('mg', 'MG', INES, 'Mammographie bilatérale de dépistage', '20250122', '112000', mammographySeries),
    study('us', 'US', MAEL, 'Échographie cardiaque transthoracique', '20250218', '164005', ultrasoundSeries),
    study('sr', 'SR', ZOE, 'Compte rendu : contrôle à distance', '20250313', '090000', reportSeries),
    study('today', 'CR', OCEANE, 'Genou gauche, traumatisme à vélo', dicomDate(today), '000100', plan => radiographySeries(plan, 'KNEE', 'Genou de face et de profil', 2))
  ]
}

const STUDY_NUMBERS: Readonly<Record<StudyName, number>> = { ct: 1, mr: 2, cr: 3, mg: 4, us: 5, sr: 6, today: 7 }

function dicomDate (date: Date): string {
  return `${date.getFullYear()}${String(date.getMonth() + 1).padStart(2, '0')}${String(date.getDate()).padStart(2, '0')}`
}
