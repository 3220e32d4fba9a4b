// Package hold runs functions under claims, for the adapters of contrib/. It is [manager.Claim.Do]
// for callers that do not want to wait, or not for ever, or that pass options.
package hold
