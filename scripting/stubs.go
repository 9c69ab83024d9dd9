package scripting

import (
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

type parseError = parse.Error

func (e *Engine) openStruct() *lua.LTable  { return e.l.NewTable() }
func (e *Engine) openMsgpack() *lua.LTable { return e.l.NewTable() }
func (e *Engine) openCJSON() *lua.LTable   { return e.l.NewTable() }

type jsonConfig struct{}

func defaultJSON() jsonConfig { return jsonConfig{} }

// Library is one function library.
type Library struct{}
