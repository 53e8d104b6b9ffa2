//! What is found: kinds of personal data and secrets.

/// A kind of thing that a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Entity {
    Secret,
    UrlCredentials,
    Custom,
    Email,
    Card,
    Iban,
    Crypto,
    Ssn,
    NationalId,
    TaxId,
    Passport,
    DriverLicense,
    Medical,
    Npi,
    BankAccount,
    Phone,
    Ip,
    Mac,
    BirthDate,
    Gps,
    Vehicle,
    PostalCode,
    Url,
    Date,
    Person,
    Address,
    Literal,
}

/// What is known of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub entity: Entity,
    /// As configuration and reports call it.
    pub name: &'static str,
    /// In placeholders.
    pub label: &'static str,
    /// Whether it is looked for where nothing else is said.
    pub by_default: bool,
}

const fn facts(entity: Entity, name: &'static str, label: &'static str, by_default: bool) -> Facts {
    Facts { entity, name, label, by_default }
}

/// All kinds. Persons are not looked for by default though they are found well: most names in questions are of those
/// whom the question is about, and a model that is not told whom cannot answer it. Of finds that overlap, the kind that comes first wins where scores are equal.
pub const ENTITIES: [Facts; 26] = [
    facts(Entity::Secret, "SECRET", "SECRET", true),
    facts(Entity::UrlCredentials, "URL_CREDENTIALS", "URL_CREDENTIALS", true),
    facts(Entity::Custom, "CUSTOM", "CUSTOM", true),
    facts(Entity::Email, "EMAIL_ADDRESS", "EMAIL", true),
    facts(Entity::Card, "CREDIT_CARD", "CARD", true),
    facts(Entity::Iban, "IBAN_CODE", "IBAN", true),
    facts(Entity::Crypto, "CRYPTO", "WALLET", true),
    facts(Entity::Ssn, "US_SSN", "SSN", true),
    facts(Entity::NationalId, "NATIONAL_ID", "NATIONAL_ID", true),
    facts(Entity::TaxId, "TAX_ID", "TAX_ID", true),
    facts(Entity::Passport, "PASSPORT", "PASSPORT", true),
    facts(Entity::DriverLicense, "DRIVER_LICENSE", "DRIVER_LICENSE", true),
    facts(Entity::Medical, "MEDICAL_RECORD", "MEDICAL_RECORD", true),
    facts(Entity::Npi, "NPI", "NPI", true),
    facts(Entity::BankAccount, "BANK_ACCOUNT", "BANK_ACCOUNT", true),
    facts(Entity::Phone, "PHONE_NUMBER", "PHONE", true),
    facts(Entity::Ip, "IP_ADDRESS", "IP", true),
    facts(Entity::Mac, "MAC_ADDRESS", "MAC", true),
    facts(Entity::BirthDate, "DATE_OF_BIRTH", "BIRTH_DATE", true),
    facts(Entity::Gps, "GPS", "LOCATION", true),
    facts(Entity::Vehicle, "VEHICLE", "VEHICLE", false),
    facts(Entity::PostalCode, "POSTAL_CODE", "POSTAL_CODE", false),
    facts(Entity::Url, "URL", "URL", false),
    facts(Entity::Date, "DATE_TIME", "DATE", false),
    facts(Entity::Person, "PERSON", "PERSON", false),
    facts(Entity::Address, "STREET_ADDRESS", "ADDRESS", true),
];

impl Entity {
    /// Its name in configuration and reports.
    pub fn name(self) -> &'static str {
        self.facts().map_or("LITERAL", |facts| facts.name)
    }

    /// Its name in placeholders.
    pub fn label(self) -> &'static str {
        self.facts().map_or("LITERAL", |facts| facts.label)
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        ENTITIES.iter().find(|facts| facts.name.eq_ignore_ascii_case(name)).map(|facts| facts.entity)
    }

    /// Whether it is written in digits, and so may be taken for another number.
    pub fn is_number(self) -> bool {
        !matches!(
            self,
            Self::Secret
                | Self::UrlCredentials
                | Self::Custom
                | Self::Email
                | Self::Url
                | Self::Person
                | Self::Address
                | Self::Literal
        )
    }

    fn facts(self) -> Option<&'static Facts> {
        ENTITIES.iter().find(|facts| facts.entity == self)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entities(u32);

impl Entities {
    pub fn by_default() -> Self {
        ENTITIES.iter().filter(|facts| facts.by_default).map(|facts| facts.entity).collect()
    }

    pub fn all() -> Self {
        ENTITIES.iter().map(|facts| facts.entity).collect()
    }

    /// Whether any of them is written in digits.
    pub fn has_numbers(self) -> bool {
        ENTITIES.iter().any(|facts| facts.entity.is_number() && self.has(facts.entity))
    }

    pub fn and(self, entity: Entity) -> Self {
        Self(self.0 | 1 << entity as u8)
    }

    pub fn has(self, entity: Entity) -> bool {
        self.0 & (1 << entity as u8) != 0
    }
}

impl FromIterator<Entity> for Entities {
    fn from_iter<T: IntoIterator<Item = Entity>>(entities: T) -> Self {
        Self(entities.into_iter().fold(0, |bits, entity| bits | 1 << entity as u8))
    }
}
