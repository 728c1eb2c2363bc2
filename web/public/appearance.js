// Runs before the first paint, so that a chosen theme and language do not flash the other one.
;(function () {
  try {
    var theme = localStorage.getItem('spotilike.theme')
    if (theme) document.documentElement.dataset.theme = theme
    var language = localStorage.getItem('spotilike.language')
    if (language) document.documentElement.lang = language
  } catch (_) {
    // Storage may be forbidden; the system's settings hold then.
  }
})()
