import { create } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { PlaybackSchema, Playback_Codec as Codec } from '../src/gen/spotilike/streaming/v1/playback_pb'
import { gain } from '../src/player/loudness'
import { chooseSource, previewSource } from '../src/player/source'
import { bars, peaksOf } from '../src/player/waveform'

const playback = create(PlaybackSchema, {
  manifestUri: '/media/audio/aac.m3u8',
  manifests: [
    { codec: Codec.AAC, uri: '/media/audio/aac.m3u8' },
    { codec: Codec.OPUS, uri: '/media/audio/opus.m3u8' },
  ],
  renditions: [
    { codec: Codec.OPUS, bitrateBps: 160_000 },
    { codec: Codec.AAC, bitrateBps: 128_000 },
    { codec: Codec.OPUS, bitrateBps: 48_000 },
  ],
})
const chromium = { mediaSource: true, opus: true, nativeHls: false }

describe('the source', () => {
  test('is Opus where the browser takes it', () => {
    const source = chooseSource(playback, chromium)
    expect(source).toMatchObject({ codec: Codec.OPUS, uri: '/media/audio/opus.m3u8', native: false })
    expect(source.bitrates).toEqual([48_000, 160_000])
  })

  test('is AAC where Opus is not taken or has failed', () => {
    expect(chooseSource(playback, { ...chromium, opus: false }).codec).toBe(Codec.AAC)
    expect(chooseSource(playback, chromium, new Set([Codec.OPUS])).codec).toBe(Codec.AAC)
  })

  test("is the browser's own HLS where there are no Media Source Extensions", () => {
    expect(chooseSource(playback, { mediaSource: false, opus: false, nativeHls: true })).toMatchObject({ native: true })
  })
})

const decibels = (factor: number): number => 20 * Math.log10(factor)

describe('the source of a preview', () => {
  test('is AAC of one bit rate, without another codec to fall back to', () => {
    const source = previewSource('/previews/p/preview.m3u8', chromium)
    expect(source).toEqual({ codec: Codec.AAC, uri: '/previews/p/preview.m3u8', native: false, bitrates: [], hasFallback: false })
  })

  test("is the browser's own HLS where there are no Media Source Extensions", () => {
    expect(previewSource('/p', { mediaSource: false, opus: false, nativeHls: true }).native).toBe(true)
  })
})

describe('the loudness', () => {
  test('brings loud and soft tracks to the same level', () => {
    expect(decibels(gain({ integratedLufs: -8, truePeakDbtp: -1 }, 'track', false))).toBeCloseTo(-6)
    expect(decibels(gain({ integratedLufs: -20, truePeakDbtp: -12 }, 'track', false))).toBeCloseTo(6)
  })

  test('never lifts a peak above the ceiling', () => {
    expect(decibels(gain({ integratedLufs: -24, truePeakDbtp: -3 }, 'track', false))).toBeCloseTo(2)
    expect(decibels(gain({ integratedLufs: -14, truePeakDbtp: -3, albumIntegratedLufs: -24 }, 'album', false))).toBeCloseTo(2)
  })

  test('keeps the differences between the tracks of an album', () => {
    const loud = { integratedLufs: -8, truePeakDbtp: -1, albumIntegratedLufs: -10 }
    const soft = { integratedLufs: -18, truePeakDbtp: -12, albumIntegratedLufs: -10 }
    expect(gain(loud, 'album', false)).toBe(gain(soft, 'album', false))
    expect(decibels(gain(soft, 'album', false))).toBeCloseTo(-4)
  })

  test('is that of the album while an album is played, when the listener leaves it to the player', () => {
    const soft = { integratedLufs: -18, truePeakDbtp: -12, albumIntegratedLufs: -10 }
    expect(decibels(gain(soft, 'auto', true))).toBeCloseTo(-4)
    expect(decibels(gain(soft, 'auto', false))).toBeCloseTo(4)
  })

  test('is that of the track where the album was not measured', () => {
    expect(decibels(gain({ integratedLufs: -8, truePeakDbtp: -1 }, 'album', true))).toBeCloseTo(-6)
  })

  test('leaves what was not measured as it is, and everything when nothing is wanted', () => {
    expect(gain(undefined, 'track', false)).toBe(1)
    expect(gain({}, 'album', true)).toBe(1)
    expect(gain({ integratedLufs: -8, truePeakDbtp: -1 }, 'off', true)).toBe(1)
  })
})

describe('the waveform', () => {
  test('fills its height at the loudest point', () => {
    expect(peaksOf({ bits: 16, length: 3, data: [-50, 100, -200, 20, 0, 0] })).toEqual([0.5, 1, 0])
  })

  test('has as many bars as there is room for, also for short tracks', () => {
    expect(bars([0, 1, 0, 1], 2)).toEqual([0.5, 0.5])
    expect(bars([1, 0.5], 5)).toHaveLength(5)
    expect(bars([1, 0.5], 5).every((bar) => bar > 0)).toBe(true)
  })
})
