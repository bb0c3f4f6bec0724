// Package sessions is the application: it decides what happens to sessions and
// calculations, and nobody else does. It knows no SQL, no HTTP, no AWS shapes
// and no processes; it reaches them through the ports of package hearth.
//
// A request is first recorded and then carried out, and both halves read the
// same record: Start, Submit, Cancel and Terminate write what is wanted in one
// transaction and wake the session's pursuit, which tells the driver what the
// record asks for and the driver has not been told. What the driver does comes
// back as events of its journal, and each event becomes one transaction, which
// also notes how far the journal has been read when the event must not be acted
// upon again. So a server that dies between any two steps carries on after its
// next start by doing the same again: the record is re-read, telling a driver
// twice is harmless, and an event that was acted upon is either behind the noted
// offset or refused by a guard.
package sessions
