// Package docs tries what the documents tell people to type: each command line runs against servers that are started for
// it, or at least its flags, directives, targets and files exist; and each link leads somewhere.
package docs
