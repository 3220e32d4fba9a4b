// Package manager hands out leases on named resources, over any backend.
package manager
