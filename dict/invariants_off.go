//go:build !invariants

package dict

// invariants is whether the package checks, at a cost, what it otherwise takes for granted: see invariants_on.go.
const invariants = false

type debugArena struct{}

type generation = struct{}

func (*debugArena) init()                   {}
func (*debugArena) mustLive(Ref)            {}
func (*debugArena) alloc(*Arena, Ref, int)  {}
func (*debugArena) free(*Arena, Ref)        {}
func (*debugArena) resize(*Arena, Ref, int) {}
func (*debugArena) isLive(Ref) bool         { return true }
func (*debugArena) check(*Arena) error      { return nil }

func (*debugArena) generationOf(Ref) generation { return generation{} }
func (*debugArena) mustBe(Handle)               {}
