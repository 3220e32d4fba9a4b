// Package harness measures locks beside their peers and says whether the targets are met.
//
// A [Case] is one workload with two or more [Side]s: ours and its baselines. [Run] runs every side once per
// round, in an order that rotates from round to round, so that a machine that gets slower or faster
// in the meantime does so for all of them. A [Check] compares one figure of one side with that of a baseline,
// or with a fixed bound: the ratio is taken within each round, and the median over the rounds is the verdict.
// Smallest and largest are shown beside it, so that a reader sees how much the figure moves.
//
// Targets are data: a bound and its direction, written next to the workload. They are ratios where that is possible,
// because absolute figures belong to one machine. A missed target is a line in the table, not a failure of the
// program: a benchmark is not a timed test. An error in a workload is a failure.
//
// [Contended] is the workload of all contention rows; [Loop] that of the uncontended ones. [Start] and [Dispatch] run
// parts of a workload in processes of their own, which are this same program started again.
package harness
