/**
 * Pictures: one CT frame out of JPEG-LS, windowed, and the thumbnails of twenty series. Each request asks
 * for a window that nobody asked for before, so that what is kept of earlier pictures doesn't help; how
 * fast what is kept leaves again is told apart.
 */

import { SERIES_OF_MANY } from '../data.ts'
import { atMost, bound, medianOf } from '../goals.ts'
import { load, refusal } from '../load.ts'
import { cpuSeconds, spread } from '../measure.ts'
import { quiet } from '../quiet.ts'
import { fill } from '../reader.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'
import { CONNECTIONS, namedByOrthanc, pathOf } from './single.ts'

const RATIO_MAX = 0.7
const P95_OF_MEDIAN_MAX = 2
const JPEG = 'image/jpeg'
/** Of a thumbnail, in pixels. */
const SIDE = 128
const WIDTHS = 40

export const rendered: Row = {
  name: 'rendered',
  title: '`/rendered` of one CT frame from JPEG-LS, and thumbnails of twenty series',
  async measure (bench) {
    const site = await bench.site()
    const [ct, many] = [await bench.data.ct(), await bench.data.manySeries()]
    const [box, orthanc] = [await site.box(), await site.orthanc()]
    await fill(box, ct.studyUid)
    await fill(box, many.studyUid)
    const [names, manyNames] = [await namedByOrthanc(orthanc, ct), await namedByOrthanc(orthanc, many)]
    const paths = ct.files.map(file => pathOf(ct, file))
    let turn = 0
    // Widths that differ from run to run: nothing drawn before is asked for again.
    const windows = (): number[] => Array.from({ length: WIDTHS }, (_, index) => 300 + (turn++ % 4000) + index / 100)
    const picture = (name: string, { pid }: { pid: number }, url: string, pathsOf: () => string[], connections: number, note?: string): Variant => ({
      name,
      note,
      skip: async () => await refusal(`${url}${pathsOf()[0]}`, JPEG),
      before: async () => { await quiet(pid) },
      run: async () => await load({ url, paths: pathsOf(), accept: JPEG, connections, seconds: bench.loadSeconds, pid, folder: bench.folder }, ++turn)
    })
    const standard = (): string[] => windows().flatMap(width => paths.map(path => `${path}/rendered?window=40,${width},linear`))
    const orthancs = (): string[] => windows().flatMap(width => names.map(id => `/instances/${id}/rendered?window-center=40&window-width=${width}`))
    const previews = (): string[] => names.map(id => `/instances/${id}/preview`)
    const kept = paths.slice(0, SERIES_OF_MANY).map(path => `${path}/rendered?window=40,400,linear`)
    const thumbnails = (name: string, { pid }: { pid: number }, urlsOf: (side: number) => string[], note?: string): Variant => ({
      name,
      note,
      skip: async () => await refusal(urlsOf(SIDE)[0]!, JPEG),
      before: async () => { await quiet(pid) },
      async run () {
        // A pixel more each time, for the same reason as the windows.
        const urls = urlsOf(SIDE + 1 + turn++ % 16)
        const cpu = cpuSeconds(pid)
        const times: number[] = []
        const from = performance.now()
        await Promise.all(urls.map(async url => {
          const answer = await fetch(url, { headers: { accept: JPEG } })
          await answer.arrayBuffer()
          if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
          times.push(performance.now() - from)
        }))
        return { seconds: (performance.now() - from) / 1000, p50Ms: spread(times).median, cpuSeconds: cpuSeconds(pid) - cpu }
      }
    })
    const series = [...new Set(many.files.map(({ seriesUid }) => seriesUid))]
    const { variants, marked } = await rounds([
      picture('box /rendered, one at a time', box, box.dicomweb, standard, 1),
      picture('Orthanc DICOMweb /rendered, one at a time', orthanc, orthanc.dicomweb, standard, 1),
      picture('Orthanc /instances/…/rendered, one at a time', orthanc, orthanc.rest, orthancs, 1),
      picture('Orthanc /instances/…/preview, one at a time', orthanc, orthanc.rest, previews, 1, 'stretched to what there is, not windowed'),
      picture(`box /rendered, ${CONNECTIONS} connections`, box, box.dicomweb, standard, CONNECTIONS),
      picture(`Orthanc /instances/…/rendered, ${CONNECTIONS} connections`, orthanc, orthanc.rest, orthancs, CONNECTIONS),
      {
        ...picture(`box /rendered, drawn before, ${CONNECTIONS} connections`, box, box.dicomweb, () => kept, CONNECTIONS, 'what is kept leaves again'),
        before: async () => {
          for (const path of kept) await (await fetch(`${box.dicomweb}${path}`, { headers: { accept: JPEG } })).arrayBuffer()
          await quiet(box.pid)
        }
      },
      thumbnails(`box, ${SERIES_OF_MANY} thumbnails`, box, side => series.map(uid => `${box.dicomweb}/studies/${many.studyUid}/series/${uid}/thumbnail?viewport=${side},${side}`)),
      thumbnails(`Orthanc DICOMweb, ${SERIES_OF_MANY} pictures of that size`, orthanc, side => many.files.map(file => `${orthanc.dicomweb}${pathOf(many, file)}/rendered?viewport=${side},${side}`), 'it has no thumbnails of series here: one picture of each'),
      thumbnails(`Orthanc, ${SERIES_OF_MANY} previews`, orthanc, side => manyNames.map(id => `${orthanc.rest}/instances/${id}/rendered?width=${side}&height=${side}`), 'the same by its own interface')
    ], bench.rounds, bench.tell)
    const [one, dicomweb, own, preview, sixteen, , , ourThumbs, theirThumbs, theirPreviews] = variants
    const [median, p95] = [medianOf(sixteen, 'p50Ms'), medianOf(sixteen, 'p95Ms')]
    const spreadOf = median === undefined || p95 === undefined ? undefined : p95 / median
    const reference = medianOf(own, 'p50Ms')
    return {
      about: `JPEG, 512 × 512, window 40 by about 400 (another width for each picture), picked from ${ct.files.length} frames. Time of one picture: the median of its answers over one connection. Thumbnails: ${SERIES_OF_MANY} requests at once, about ${SIDE} × ${SIDE}, a pixel more each time.`,
      variants,
      marked,
      goals: [
        atMost({ measure: '/rendered of one CT frame', figure: 'p50Ms', ours: one, theirs: dicomweb }, RATIO_MAX),
        atMost({ measure: '/rendered of one CT frame', figure: 'p50Ms', ours: one, theirs: own }, RATIO_MAX),
        atMost({ measure: '/rendered of one CT frame', figure: 'p50Ms', ours: one, theirs: preview }, RATIO_MAX),
        bound(`/rendered, p95, ${CONNECTIONS} connections`, 'its median', spreadOf, `${spreadOf?.toFixed(2)} × median`, P95_OF_MEDIAN_MAX, `≤ ${P95_OF_MEDIAN_MAX} × median`, sixteen?.skipped ?? sixteen?.failed),
        atMost({ measure: `thumbnails of ${SERIES_OF_MANY} series`, figure: 'seconds', ours: ourThumbs, theirs: theirThumbs }, RATIO_MAX),
        atMost({ measure: `thumbnails of ${SERIES_OF_MANY} series`, figure: 'seconds', ours: ourThumbs, theirs: theirPreviews }, RATIO_MAX)
      ],
      notes: [],
      charts: [{
        figure: 'p50Ms',
        ours: variants.map(({ name }) => name).filter(name => name.startsWith('box')),
        ...reference !== undefined && { goal: { value: RATIO_MAX * reference, label: `${RATIO_MAX} of Orthanc's` } },
        without: variants.map(({ name }) => name).filter(name => !name.includes('one at a time'))
      }]
    }
  }
}
