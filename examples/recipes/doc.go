// Package recipes holds the code of docs/recipes.md and docs/fencing.md: a file for each recipe, and
// its test. The tests of cmd/lockkeeper run the command lines.
package recipes
