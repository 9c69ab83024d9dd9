package scripting

// Library is one function library.
type Library struct{}
