import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [svelte()],
  resolve: {
    // The light build has all that one audio playlist a codec needs, and a third of the bytes; its types are hls.js's.
    alias: [{ find: /^hls\.js$/, replacement: 'hls.js/dist/hls.light.mjs' }],
  },
  build: {
    target: 'es2022',
    // The page's Content-Security-Policy allows no inline code and no data: scripts.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssMinify: 'lightningcss',
    // hls.js is the one big chunk; it is loaded at the first play.
    chunkSizeWarningLimit: 400,
  },
  worker: { format: 'es' },
  test: { include: ['test/**/*.test.ts'] },
})
