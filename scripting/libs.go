package scripting

import (
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

type parseError = parse.Error

func (e *Engine) fixString(t *lua.LTable) {}
func (e *Engine) fixTable(t *lua.LTable)  {}
func (e *Engine) fixMath(t *lua.LTable)   {}

func (e *Engine) openBit() *lua.LTable     { return e.l.NewTable() }
func (e *Engine) openCJSON() *lua.LTable   { return e.l.NewTable() }
func (e *Engine) openStruct() *lua.LTable  { return e.l.NewTable() }
func (e *Engine) openMsgpack() *lua.LTable { return e.l.NewTable() }

type jsonConfig struct{}

func defaultJSON() jsonConfig { return jsonConfig{} }

// Library is one function library.
type Library struct{}
