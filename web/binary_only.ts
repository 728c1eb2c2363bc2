/** Takes the JSON form of messages out of the bundle: the page speaks protobuf's binary form only. */

import type { Plugin } from 'vite'

const JSON_MODULE = /^\.{1,2}\/(from|to)-json\.js$/
const NAMES = [
  'fromJson',
  'fromJsonString',
  'mergeFromJson',
  'mergeFromJsonString',
  'enumFromJson',
  'isEnumJson',
  'toJson',
  'toJsonString',
  'enumToJson',
]
const EMPTY = '\0without-json'

export function binaryOnly(): Plugin {
  return {
    name: 'binary-only',
    enforce: 'pre',
    apply: 'build',
    resolveId(source, importer) {
      return JSON_MODULE.test(source) && importer?.includes('@bufbuild/protobuf') ? EMPTY : null
    },
    load(id) {
      if (id !== EMPTY) return null
      const refuse = "() => { throw new Error('this page was built without the JSON form of messages') }"
      return NAMES.map((name) => `export const ${name} = ${refuse}`).join('\n')
    },
  }
}
