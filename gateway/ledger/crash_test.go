package ledger

const victimEnv = "LOA_LEDGER_VICTIM"

func victim() {}
