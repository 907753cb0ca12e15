/**
 * The page of a viewer that others wrote: Cornerstone's own loader fetches, decodes and draws one
 * frame. Runs in Chromium; the journey calls {@link Drawing.draw} from outside.
 */

import { cache, imageLoader, init, utilities } from '@cornerstonejs/core'
import { init as initLoader, wadors } from '@cornerstonejs/dicom-image-loader'
import type { Drawing } from './drawing.ts'

/** As a canvas wants it; the loader knows this option, its types don't. */
const RGBA = { useRGBA: true } as unknown as Parameters<typeof imageLoader.loadAndCacheImage>[1]

init()
initLoader({ maxWebWorkers: 1, decodeConfig: { wasmBasePath: '/' } })

Object.assign(window, {
  async draw (frame, metadata, columns, rows) {
    const imageId = `wadors:${frame}`
    wadors.metaDataManager.add(imageId, metadata as never)
    const canvas = document.querySelector('canvas') as HTMLCanvasElement
    canvas.width = columns
    canvas.height = rows
    try {
      const image = await imageLoader.loadAndCacheImage(imageId, RGBA)
      // As the library's own shortcut to a canvas does: what was scaled must not be scaled again.
      image.isPreScaled ||= image.preScale?.scaled
      await utilities.renderToCanvasCPU(canvas, image)
      return canvas.toDataURL('image/png')
    } finally {
      cache.purgeCache()
    }
  }
} satisfies Drawing)
document.title = 'ready'
