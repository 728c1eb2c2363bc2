import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { binaryOnly } from './binary_only'

export default defineConfig({
  plugins: [binaryOnly(), svelte()],
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
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Few files, by what needs them; the pages come on top, one each.
          groups: [
            { name: 'svelte', test: /node_modules[\\/](svelte|esm-env|clsx)[\\/]/ },
            // What the frame of the page shares with the pages; none of it talks to the server.
            {
              name: 'parts',
              test: /src[\\/](i18n[\\/](?!enums)|player[\\/](?!source)|account[\\/]user|shell[\\/]Waveform|ui[\\/](?!AlbumCard|Form))/,
              minShareCount: 2,
            },
            // What talks to the server; it is fetched while the frame is shown.
            { name: 'wire', test: /node_modules[\\/]@(bufbuild|connectrpc)[\\/]|src[\\/](gen|api)[\\/]/ },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  test: { include: ['test/**/*.test.ts'] },
})
