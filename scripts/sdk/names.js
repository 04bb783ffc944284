/**
 * Members of the SDK's own objects that have short names in the bundles for today's browsers. None of them is part of
 * the API or the protocol, or shown in docs/sdk.md; none is a word of the browser's, so that no object of the browser's
 * can be meant by it (`tests/js/sdk/names.test.js`).
 */
export const INTERNAL = `
  ackBytes acknowledge addRoom addStream backoff caughtUp checkOpen checkTexts counted cursors delayMs detour deliver
  doubt doubtMs dueAt endCallPrefix ending flavour forget frameEnded heardAt heartbeatMs inTurn isAnyRtc isHistorical
  isInDoubt isLeaving isLoggedIn isOpen isOver isPatient isReady isRestoring isSettled isSparse isTried
  isUnderWay isUp logFilters loggedIn lose make makeId monotonicNow noticed opened openSocket otherNames owner
  pace present probe pushed randomBytes recount registrations removeRoom removeStream rest retryAfterMs router
  run runtime seen serverOf settle soon stopTransfers timer transfers turnMs underWay undo wallNow wasSent watch
`
  .trim()
  .split(/\s+/);
