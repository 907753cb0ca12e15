/**
 * Bars of one figure as a small SVG, drawn by echarts without a browser. Its text takes the colour
 * that the reader's scheme asks for, so that it can be read on a white page and on a dark one.
 */

import { BarChart } from 'echarts/charts'
import { GridComponent, MarkLineComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { spread } from './measure.ts'
import { FIGURES, sayFigure } from './rounds.ts'
import type { Chart, RowResult } from './row.ts'

use([BarChart, GridComponent, MarkLineComponent, SVGRenderer])

const WIDTH = 760
const BAR = 26
const MARGIN = { top: 24, bottom: 30 }
/** Of middle lightness: seen on white and on black. */
const COLOURS = { ours: '#2f81f7', theirs: '#8b949e', goal: '#d2691e' }
/** Replaced by the scheme's own. */
const INK = '#24292f'
const STYLE = `<style>text{fill:${INK}}@media (prefers-color-scheme:dark){text{fill:#d0d7de}}</style>`

/** @returns undefined when there is nothing to draw */
export function drawChart ({ title, variants }: Pick<RowResult, 'title' | 'variants'>, { figure, ours, goal, without = [] }: Chart): string | undefined {
  const { head, times } = FIGURES[figure]
  const bars = variants
    .filter(({ name }) => !without.includes(name))
    .map(({ name, readings }) => ({ name, values: readings.map(reading => reading[figure]).filter(value => value !== undefined) }))
    .filter(({ values }) => values.length > 0)
    .map(({ name, values }) => ({ name, value: spread(values).median }))
  if (bars.length === 0) return undefined
  const height = MARGIN.top + MARGIN.bottom + BAR * bars.length
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif', color: INK },
      grid: { left: 290, right: 60, top: MARGIN.top, bottom: MARGIN.bottom },
      xAxis: { type: 'value', name: head, nameLocation: 'middle', nameGap: 20, axisLabel: { fontSize: 10, showMaxLabel: false }, splitLine: { lineStyle: { color: COLOURS.theirs, opacity: 0.25 } }, max: ({ max }: { max: number }) => Math.max(max, (goal?.value ?? 0) * times) * 1.02 },
      yAxis: { type: 'category', inverse: true, data: bars.map(({ name }) => name), axisTick: { show: false }, axisLabel: { fontSize: 11, width: 275, overflow: 'truncate' } },
      series: [{
        type: 'bar',
        barWidth: BAR - 10,
        data: bars.map(({ name, value }) => ({ value: value * times, itemStyle: { color: ours.includes(name) ? COLOURS.ours : COLOURS.theirs } })),
        label: { show: true, position: 'right', fontSize: 11, color: INK, textBorderWidth: 0, formatter: ({ dataIndex }: { dataIndex: number }) => sayFigure(figure, bars[dataIndex]!.value) },
        ...goal !== undefined && {
          markLine: { silent: true, symbol: 'none', lineStyle: { color: COLOURS.goal, type: 'dashed', width: 2 }, label: { formatter: goal.label, fontSize: 10, color: INK, textBorderWidth: 0, position: 'start', distance: 4 }, data: [{ xAxis: goal.value * times }] }
        }
      }]
    })
    const svg = chart.renderToSVGString()
    const alternative = `${title}: ${bars.map(({ name, value }) => `${name} ${sayFigure(figure, value)}`).join('; ')} (${head})`
    return svg.replace(/^<svg /, `<svg role="img" aria-label="${escaped(alternative)}" `).replace('>', `><title>${escaped(title)}</title>${STYLE}`)
  } finally {
    chart.dispose()
  }
}

function escaped (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
