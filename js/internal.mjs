// Properties that never leave a bundle, so the build shortens them: no key of the wire, no string,
// no property of the browser's own objects (test/internal.test.ts holds the list to that).

export const INTERNAL = `
  active bars begins causes closes completed data_outputs draw drawn fallen first growing heard
  inner inside kept lane lanes last last_progress marks model_retry_count network_retry_count
  ongoing opens owed past pixel place playing seek thoughts time_to_first_token tokens tool_calls
  trait why withdrawn written
`
  .trim()
  .split(/\s+/);
