"""What a policy's `dpv` may name in a receipt: terms of the Data Privacy Vocabulary 2.3.

Made by `python -m tests.data.dpv.extract`. This software includes material derived from the Data Privacy Vocabulary,
https://w3id.org/dpv, copyright 2026 its contributors and World Wide Web Consortium, under the W3C Software and Document
Licence 2023, https://www.w3.org/copyright/software-license-2023/.
"""

from __future__ import annotations

_PURPOSES = """
ai:Benchmarking ai:BiasAssessment ai:BiasDetection ai:BiasMitigation ai:BiasPrevention dpv:AcademicResearch
dpv:AccountManagement dpv:Advertising dpv:AgeVerification dpv:CombatClimateChange dpv:CommercialPurpose
dpv:CommercialResearch dpv:CommunicationForCustomerCare dpv:CommunicationManagement dpv:CounterMoneyLaundering
dpv:Counterterrorism dpv:CustomerCare dpv:CustomerClaimsManagement dpv:CustomerManagement
dpv:CustomerOrderManagement dpv:CustomerRelationshipManagement dpv:CustomerSolvencyMonitoring dpv:DataAltruism
dpv:DataAvailabilityAssessment dpv:DataGovernance dpv:DataInteroperabilityAssessment
dpv:DataInteroperabilityImprovement dpv:DataInteroperabilityManagement dpv:DataInventoryManagement
dpv:DataQualityAssessment dpv:DataQualityImprovement dpv:DataQualityManagement dpv:DataSecurityManagement
dpv:DataSuitabilityAssessment dpv:DeliveryOfGoods dpv:DirectMarketing dpv:DisputeManagement
dpv:EnforceAccessControl dpv:EnforceSecurity dpv:EstablishContractualAgreement dpv:FraudPreventionAndDetection
dpv:FulfilmentOfContractualObligation dpv:FulfilmentOfObligation dpv:HumanResourceManagement
dpv:IdentityAuthentication dpv:IdentityVerification dpv:ImproveExistingProductsAndServices dpv:ImproveHealthcare
dpv:ImproveInternalCRMProcesses dpv:ImprovePublicServices dpv:ImproveTransportMobility
dpv:IncreaseServiceRobustness dpv:InternalResourceOptimisation dpv:LegalCompliance dpv:MaintainFraudDatabase
dpv:Marketing dpv:MemberPartnerManagement dpv:MetadataManagement dpv:MisusePreventionAndDetection
dpv:NonCommercialPurpose dpv:NonCommercialResearch dpv:OptimisationForConsumer dpv:OptimisationForController
dpv:OptimiseUserInterface dpv:OrganisationComplianceManagement dpv:OrganisationGovernance
dpv:OrganisationRiskManagement dpv:PaymentManagement dpv:Personalisation dpv:PersonalisedAdvertising
dpv:PersonalisedBenefits dpv:PersonnelBehaviourMonitoring dpv:PersonnelHiring dpv:PersonnelManagement
dpv:PersonnelMonitoring dpv:PersonnelOffboarding dpv:PersonnelOnboarding dpv:PersonnelPayment
dpv:PersonnelPerformanceEvaluation dpv:PersonnelPerformanceManagement dpv:PersonnelPerformanceMonitoring
dpv:PersonnelPerformancePrediction dpv:PersonnelPromotionManagement dpv:PersonnelTerminationManagement
dpv:PersonnelWorkloadManagement dpv:PoliticalCampaign dpv:ProtectionOfIPR dpv:ProtectionOfNationalSecurity
dpv:ProtectionOfPublicSecurity dpv:ProvideEventRecommendations dpv:ProvideOfficialStatistics
dpv:ProvidePersonalisedRecommendations dpv:ProvideProductRecommendations dpv:PublicBenefit dpv:PublicPolicyMaking
dpv:PublicRelations dpv:Purpose dpv:RecordManagement dpv:RecruitmentAdvertising
dpv:RecruitmentApplicantBackgroundCheck dpv:RecruitmentApplicantCriminalBackgroundCheck
dpv:RecruitmentApplicantInformationAuthentication dpv:RecruitmentApplicantSelection
dpv:RecruitmentApplicationAnalysis dpv:RecruitmentApplicationManagement dpv:RecruitmentApplicationScreening
dpv:RecruitmentInterviewAnalysis dpv:RecruitmentInterviewAssessment dpv:RecruitmentInterviewManagement
dpv:RecruitmentInterviewScheduling dpv:RecruitmentManagement dpv:RecruitmentTargetedAdvertising
dpv:RepairImpairments dpv:RequestedServiceProvision dpv:ResearchAndDevelopment dpv:ScientificResearch
dpv:SearchFunctionalities dpv:SellDataToThirdParties dpv:SellInsightsFromData dpv:SellProducts
dpv:SellProductsToDataSubject dpv:ServiceAccessDetermination dpv:ServiceManagement dpv:ServiceMonitoring
dpv:ServiceOptimisation dpv:ServicePersonalisation dpv:ServiceProvision dpv:ServiceRegistration
dpv:ServiceUsageAnalytics dpv:SocialMediaMarketing dpv:TargetedAdvertising dpv:TechnicalServiceProvision
dpv:UserInterfacePersonalisation dpv:VendorManagement dpv:VendorPayment dpv:VendorRecordsManagement
dpv:VendorSelectionAssessment dpv:Verification
"""
PURPOSES = frozenset(_PURPOSES.split())
"""`dpv:Purpose`, and what is narrower."""

_PROCESSING = """
ai:DataAggregation ai:DataAnnotation ai:DataCleaning ai:DataCollection ai:DataEnrichment ai:DataLabelling
ai:DataOperation ai:DataPreparation ai:DataUpdating ai:ModelFineTuning ai:ModelTraining ai:Profiling
ai:TrainingTechnique dpv:Access dpv:Acquire dpv:Adapt dpv:Aggregate dpv:Align dpv:Alter dpv:Analyse dpv:Anonymise
dpv:Assess dpv:Collect dpv:Combine dpv:Consult dpv:Copy dpv:CrossBorderTransfer dpv:Delete dpv:Derive dpv:Destruct
dpv:Disclose dpv:DiscloseByTransmission dpv:Display dpv:Disseminate dpv:Download dpv:Erase dpv:Export dpv:Filter
dpv:Format dpv:Generate dpv:Infer dpv:MakeAvailable dpv:Match dpv:Modify dpv:Monitor dpv:Move dpv:Observe
dpv:Obtain dpv:Organise dpv:Processing dpv:Profiling dpv:Pseudonymise dpv:Query dpv:Record dpv:Reformat dpv:Remove
dpv:Restrict dpv:Retrieve dpv:Screen dpv:Share dpv:Store dpv:Structure dpv:Tracking dpv:TrackingByFirstParty
dpv:TrackingByThirdParty dpv:Transfer dpv:Transform dpv:Transmit dpv:Use eu-gdpr:CrossBorderProcessing
eu-gdpr:Processing eu-gdpr:Profiling
"""
PROCESSING = frozenset(_PROCESSING.split())
"""`dpv:Processing`, and what is narrower."""

_PERSONAL_DATA = """
dpv:CollectedPersonalData dpv:ContextuallyAnonymisedData dpv:DerivedPersonalData dpv:GeneratedPersonalData
dpv:IdentifyingPersonalData dpv:InferredPersonalData dpv:ObservedPersonalData dpv:PersonalData
dpv:ProvidedPersonalData dpv:PseudonymisedData dpv:SensitivePersonalData dpv:SpecialCategoryPersonalData
eu-gdpr:BiometricData eu-gdpr:GeneticData eu-gdpr:HealthData eu-gdpr:PersonalData pd:Accent pd:AccountIdentifier
pd:Acquaintance pd:Age pd:AgeExact pd:AgeRange pd:ApartmentOwned pd:Association pd:Attitude pd:Authenticating
pd:AuthenticationHistory pd:BankAccount pd:Behavioural pd:Biometric pd:BirthCountry pd:BirthDate pd:BirthPlace
pd:BloodType pd:BrowserFingerprint pd:BrowserHistory pd:BrowsingBehaviour pd:BrowsingReferral pd:CallLog
pd:CarOwned pd:Character pd:Citizenship pd:City pd:Communication pd:CommunicationsMetadata pd:Connection pd:Contact
pd:Country pd:Credit pd:CreditCapacity pd:CreditCardNumber pd:CreditRecord pd:CreditScore pd:CreditStanding
pd:CreditWorthiness pd:Criminal pd:CriminalCharge pd:CriminalConviction pd:CriminalOffence pd:CriminalPardon
pd:CurrentEmployment pd:CurrentLocation pd:DNACode pd:Demeanour pd:Demographic pd:DeviceApplications pd:DeviceBased
pd:DeviceOperatingSystem pd:DeviceSoftware pd:Dialect pd:DigitalFingerprint pd:Disability pd:DisciplinaryAction
pd:Dislike pd:Divorce pd:Domicile pd:DrugTestResult pd:Education pd:EducationExperience pd:EducationQualification
pd:EducationTraining pd:EmailAddress pd:EmailAddressPersonal pd:EmailAddressWork pd:EmailContent pd:Emotion
pd:EmploymentHistory pd:EthnicOrigin pd:Ethnicity pd:External pd:FacialExpression pd:FacialPrint pd:Family
pd:FamilyHealthHistory pd:FamilyStructure pd:Favourite pd:FavouriteColour pd:FavouriteFood pd:FavouriteMusic
pd:Fetish pd:Financial pd:FinancialAccount pd:FinancialAccountNumber pd:FinancialStatus pd:Fingerprint pd:Friend
pd:GPSCoordinate pd:Gender pd:GeneralReputation pd:Genetic pd:Geographic pd:GroupMembership pd:GroupProfile
pd:HairColour pd:Health pd:HealthHistory pd:HealthRecord pd:Height pd:Historical pd:HomeLocation pd:HouseNumber
pd:HouseOwned pd:Household pd:IPAddress pd:Identifier pd:Identifying pd:Income pd:IncomeBracket
pd:IndividualHealthHistory pd:IndividualProfile pd:Insurance pd:Intention pd:Interaction pd:Interest pd:Internal
pd:Job pd:KnowledgeBelief pd:Language pd:LifeHistory pd:Like pd:LinkClicked pd:LoanRecord pd:Locality pd:Location
pd:MACAddress pd:MaritalStatus pd:Marriage pd:MedicalHealth pd:MentalHealth pd:Mood pd:Name pd:Nationality
pd:OfficialID pd:Offspring pd:Opinion pd:Ownership pd:PINCode pd:Parent pd:Passport pd:Password pd:PastEmployment
pd:PaymentCard pd:PaymentCardExpiry pd:PaymentCardNumber pd:PerformanceAtWork pd:PersonalDocuments
pd:PersonalPossession pd:Personality pd:PhilosophicalBelief pd:PhysicalAddress pd:PhysicalCharacteristic
pd:PhysicalHealth pd:PhysicalTrait pd:Picture pd:Piercing pd:PoliticalAffiliation pd:PoliticalOpinion pd:PostalCode
pd:Preference pd:Prescription pd:PrivacyPreference pd:Proclivity pd:Professional pd:ProfessionalCertification
pd:ProfessionalEvaluation pd:ProfessionalExperience pd:ProfessionalInterview pd:ProfessionalTraining pd:Profile
pd:PublicLife pd:PubliclyAvailableSocialMedia pd:Purchase pd:PurchasesAndSpendingHabit pd:Race pd:Reference
pd:Region pd:Relationship pd:Reliability pd:Religion pd:ReligiousBelief pd:Residency pd:Retina pd:RoomNumber
pd:Salary pd:Sale pd:School pd:SecretText pd:ServiceConsumptionBehaviour pd:Sexual pd:SexualHistory
pd:SexualPreference pd:Sibling pd:SkinTone pd:Social pd:SocialBehaviour pd:SocialMedia pd:SocialMediaCommunication
pd:SocialNetwork pd:SocialStatus pd:Street pd:TVViewingBehaviour pd:Tattoo pd:Tax pd:TechnicalKnowledge
pd:TelephoneNumber pd:Thought pd:Tracking pd:TradeUnionMembership pd:Transaction pd:Transactional pd:TravelHistory
pd:UID pd:UserAgent pd:Username pd:VehicalLicenseNumber pd:VehicalLicenseRegistration pd:Vehicle pd:VehicleLicense
pd:VehicleUsage pd:VoiceCommunicationRecording pd:VoiceMail pd:Vulnerability pd:Weight pd:WorkEnvironment
pd:WorkExperience pd:WorkHistory pd:WorkLocation
"""
PERSONAL_DATA = frozenset(_PERSONAL_DATA.split())
"""`dpv:PersonalData`, and what is narrower."""

_RECIPIENTS = """
dpv:DataController dpv:DataImporter dpv:DataProcessor dpv:DataSubProcessor dpv:JointDataControllers dpv:Recipient
dpv:ThirdParty eu-gdpr:Controller eu-gdpr:Processor eu-gdpr:Recipient eu-gdpr:ThirdParty
"""
RECIPIENTS = frozenset(_RECIPIENTS.split())
"""`dpv:Recipient`, `dpv:DataController`, `dpv:ThirdParty`, and what is narrower."""
