// Package recipes holds the code of docs/recipes.md: a file for each recipe, and its test. The tests
// of cmd/lockkeeper run the command lines.
package recipes
